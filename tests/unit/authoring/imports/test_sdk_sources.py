"""What the readers of SDKs make of small sources that are written like the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from gateway.authoring.imports.sdk.hubspot import read_hubspot_calls, read_hubspot_node_calls
from gateway.authoring.imports.sdk.modules import Modules
from gateway.authoring.imports.sdk.notion import read_notion_calls
from gateway.authoring.imports.sdk.python_calls import SdkCall, SdkField, read_sdk_calls
from gateway.authoring.imports.sdk.slack import read_slack_methods
from gateway.authoring.imports.sdk.stripe import read_stripe_calls

CLIENT = """
    from ._compat import cached_property

    class Shop:
        @cached_property
        def orders(self) -> Orders:
            from .resources import Orders
            return Orders(self)
    """


def written(root: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a package."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return root


def shop(root: Path, resource: str) -> list[SdkCall]:
    """The calls of a client with one resource of this source, behind a re-export."""
    folder = written(
        root,
        {
            "shop/_client.py": CLIENT,
            "shop/resources/__init__.py": "from .orders import Orders as Orders",
            "shop/resources/orders.py": resource,
        },
    )
    return list(read_sdk_calls(folder, "shop", "Shop"))


GENERATED = {
    "a method and its template": (
        """
        class Orders:
            def retrieve(self, order_id: str):
                return self._get(path_template("/orders/{order_id}", order_id=order_id))
        """,
        [SdkCall(("orders", "retrieve"), "GET", "/orders/{order_id}")],
    ),
    "fields of a JSON body with the types of their arguments": (
        """
        class Orders:
            def create(self, *, name: str, count: int | Omit = omit,
                       gift: Optional[bool] | Omit = omit,
                       tags: SequenceNotStr[str] | Omit = omit, lines: Iterable[LineParam]):
                return self._post("/orders", body=maybe_transform(
                    {"name": name, "count": count, "gift": gift, "tags": tags, "lines": lines}, P))
        """,
        [
            SdkCall(
                ("orders", "create"),
                "POST",
                "/orders",
                (
                    SdkField("name", "text", True),
                    SdkField("count", "integer"),
                    SdkField("gift", "boolean"),
                    SdkField("tags", "list"),
                ),
            )
        ],
    ),
    "a body that may be multipart has no fields": (
        """
        class Orders:
            def upload(self, *, name: str):
                if files:
                    extra_headers = {"Content-Type": "multipart/form-data"}
                return self._post("/orders", body={"name": name}, files=files)
        """,
        [SdkCall(("orders", "upload"), "POST", "/orders", is_json=False)],
    ),
    "a list that is asked for by POST": (
        """
        class Orders:
            def search(self):
                return self._get_api_list("/orders/search", page=P, model=M, method="post")
        """,
        [SdkCall(("orders", "search"), "POST", "/orders/search")],
    ),
    "a path with a part that the method chooses": (
        """
        class Orders:
            def list(self, *, account_id: str, zone_id: str):
                if account_id:
                    where = "accounts"
                    where_id = account_id
                else:
                    where = "zones"
                    where_id = zone_id
                return self._get_api_list(path_template("/{where}/{where_id}/orders"))
        """,
        [
            SdkCall(("orders", "list"), "GET", "/accounts/{account_id}/orders"),
            SdkCall(("orders", "list"), "GET", "/zones/{zone_id}/orders"),
        ],
    ),
    "a query that is part of the path": (
        """
        class Orders:
            def create(self):
                return self._post("/orders?beta=true")
        """,
        [SdkCall(("orders", "create"), "POST", "/orders", (), (("beta", "true"),))],
    ),
    "helpers, overloads and private methods send nothing": (
        """
        class Orders:
            @overload
            def create(self, *, stream: Literal[True]): ...
            def create_and_wait(self):
                return self.create()
            def _secret(self):
                return self._get("/secret")
        """,
        [],
    ),
    "a method of a base class, and a resource below": (
        """
        class Base:
            def delete(self, id: str):
                return self._delete(f"/orders/{id}")

        class Lines:
            def list(self):
                return self._get("/lines")

        class Orders(Base):
            @cached_property
            def lines(self) -> Lines:
                return Lines(self._client)
        """,
        [
            SdkCall(("orders", "lines", "list"), "GET", "/lines"),
            SdkCall(("orders", "delete"), "DELETE", "/orders/{id}"),
        ],
    ),
    "what is deprecated is marked": (
        """
        class Orders:
            @typing_extensions.deprecated("no more")
            def get(self):
                return self._get("/orders")
        """,
        [SdkCall(("orders", "get"), "GET", "/orders", is_deprecated=True)],
    ),
}


@pytest.mark.parametrize(("source", "expected"), GENERATED.values(), ids=GENERATED)
def test_generated_sdks(tmp_path: Path, source: str, expected: list[SdkCall]) -> None:
    """Calls of a generated SDK, from its source."""
    assert shop(tmp_path, dedent(source)) == expected


def test_a_class_of_an_imported_module_is_found(tmp_path: Path) -> None:
    """`lines.Lines`, where `lines` is a module under another name."""
    folder = written(
        tmp_path,
        {
            "shop/a.py": "from . import lines_ as lines",
            "shop/__init__.py": "",
            "shop/lines_.py": "class Lines: ...",
        },
    )

    found = Modules(folder).find_class("shop.a", "lines.Lines")

    assert (found.module, found.node.name) == ("shop.lines_", "Lines")


def test_imports_in_a_circle_end(tmp_path: Path) -> None:
    """A name that only re-exports of each other know is no class."""
    folder = written(
        tmp_path, {"shop/a.py": "from .b import Order", "shop/b.py": "from .a import Order"}
    )

    with pytest.raises(LookupError, match="`Order` is no class that `shop"):
        Modules(folder).find_class("shop.a", "Order")


def test_stripe_services(tmp_path: Path) -> None:
    """Services below services, forms and JSON, money and what unsets it."""
    folder = written(
        tmp_path,
        {
            "stripe/_v1_services.py": """
                _subservices = {"refunds": ["stripe._refunds", "RefundService"]}
                class V1Services:
                    refunds: "RefundService"
                """,
            "stripe/_refunds.py": """
                from stripe.params import RefundParams
                class RefundService:
                    def cancel(self, refund: str, params: Optional["RefundParams"] = None):
                        return cast("R", self._request(
                            "post",
                            "/v1/refunds/{refund}/cancel".format(refund=sanitize_id(refund)),
                            base_address="api", params=params))
                    async def cancel_async(self): ...
                """,
            "stripe/params.py": """
                class RefundParams:
                    amount: NotRequired["Literal['']|int"]
                    currency: str
                    expand: NotRequired[List[str]]
                    card: NotRequired["Card"]
                """,
            "stripe/_v2_services.py": "class V2Services: ...",
            "stripe/_oauth_service.py": """
                class OAuthService:
                    def token(self, params):
                        return self._requestor.request(
                            "post", "/oauth/token", base_address="connect")
                """,
        },
    )

    assert list(read_stripe_calls(folder)) == [
        SdkCall(
            ("refunds", "cancel"),
            "POST",
            "/v1/refunds/{refund}/cancel",
            (SdkField("amount", "money_minor"), SdkField("currency", "currency", True)),
            place="form",
        ),
        SdkCall(("oauth", "token"), "POST", "/oauth/token", place="form"),
    ]


def test_slack_methods(tmp_path: Path) -> None:
    """Arguments as the Python client sends them, and names that only the Node client has."""
    python = written(
        tmp_path / "python",
        {
            "slack_sdk/web/client.py": """
                class WebClient:
                    def conversations_invite(self, *, channel: str,
                                             users: Union[str, Sequence[str]],
                                             force: Optional[bool] = None, **kwargs):
                        kwargs.update({"channel": channel, "force": force})
                        kwargs.update({"users": ",".join(users)})
                        return self.api_call("conversations.invite", params=kwargs)
                """
        },
    )
    node = written(
        tmp_path / "node",
        {"package/dist/methods.js": "access: bindApiCall(this, 'oauth.v2.access')"},
    )

    methods = read_slack_methods(python, node)

    assert methods["oauth.v2.access"] == ()
    assert [(f.name, f.type, f.required) for f in methods["conversations.invite"]] == [
        ("channel", "text", True),
        ("force", "boolean", False),
        ("users", "list,", True),
    ]


def test_notion_endpoints(tmp_path: Path) -> None:
    """Endpoints that constructors make, one that is called itself, and paths with values."""
    folder = written(
        tmp_path,
        {
            "notion_client/client.py": """
                from .api_endpoints import PagesEndpoint, SearchEndpoint
                class BaseClient:
                    def __init__(self):
                        self.pages = PagesEndpoint(self)
                        self.search = SearchEndpoint(self)
                    def request(self): ...
                """,
            "notion_client/api_endpoints.py": """
                class PagesEndpoint:
                    def update(self, page_id):
                        return self.parent.request(path=f"pages/{page_id}", method="PATCH")
                class SearchEndpoint:
                    def __call__(self):
                        return self.parent.request(path="search", method="POST")
                """,
        },
    )

    assert list(read_notion_calls(folder)) == [
        SdkCall(("pages", "update"), "PATCH", "pages/{page_id}"),
        SdkCall(("search",), "POST", "search"),
    ]


def test_hubspot_apis(tmp_path: Path) -> None:
    """APIs that discovery classes configure, named by folder and attribute."""
    folder = written(
        tmp_path,
        {
            "hubspot/crm/__init__.py": "from hubspot.crm.api.basic_api import BasicApi",
            "hubspot/crm/api/basic_api.py": """
                class BasicApi:
                    def archive(self, contact_id, **kwargs):
                        return self.archive_with_http_info(contact_id)
                    def archive_with_http_info(self, contact_id, **kwargs):
                        return self.api_client.call_api("/crm/{contactId}", "DELETE", path_params)
                """,
            "hubspot/discovery/crm/discovery.py": """
                import hubspot.crm as api_client
                class Discovery(DiscoveryBase):
                    @property
                    def basic_api(self):
                        return self._configure_api_client(api_client, "BasicApi")
                """,
        },
    )

    assert list(read_hubspot_calls(folder)) == [
        SdkCall(("crm", "basic_api", "archive"), "DELETE", "/crm/{contactId}")
    ]


def test_hubspot_apis_of_node(tmp_path: Path) -> None:
    """The Node client's calls have the names that the Python client would give them."""
    folder = written(
        tmp_path,
        {
            "package/lib/codegen/crm/lists/apis/ListsApi.js": """
                class ListsApiRequestFactory {
                    getById(listId, _options) {
                        const localVarPath = '/crm/v3/lists/{listId}'
                        makeRequestContext(localVarPath, http_1.HttpMethod.GET);
                """
        },
    )

    assert list(read_hubspot_node_calls(folder)) == [
        SdkCall(("crm", "lists", "lists_api", "get_by_id"), "GET", "/crm/v3/lists/{listId}")
    ]


def test_members_have_their_names_on_the_wire(tmp_path: Path) -> None:
    """What an argument is called in Python is not what is sent, where the SDK's types say so."""
    written(
        tmp_path,
        {
            "shop/types/__init__.py": "",
            "shop/types/order_params.py": """
                class Address(TypedDict):
                    post_code: Annotated[str, PropertyInfo(alias="postCode")]
                class OrderParams(Address):
                    to: Required[Annotated[str, PropertyInfo(alias="To")]]
                    at: Annotated[str, PropertyInfo(format="iso8601")]
                """,
        },
    )

    (call,) = shop(
        tmp_path,
        dedent(
            """
            from ..types import order_params

            class Orders:
                def create(self, *, to: str, at: str, post_code: str):
                    return self._post("/orders", body=maybe_transform(
                        {"to": to, "at": at, "post_code": post_code}, order_params.OrderParams))
            """
        ),
    )

    assert [field.name for field in call.fields] == ["To", "at", "postCode"]
