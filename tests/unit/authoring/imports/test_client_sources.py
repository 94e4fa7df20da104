"""Clients' sources are read for what they send, without being run."""

from __future__ import annotations

from gateway.authoring.imports.sdk.gitbeaker import GitLabCall
from gateway.authoring.imports.sdk.gitbeaker import calls_of as gitlab_calls
from gateway.authoring.imports.sdk.typescript_calls import TypeScriptCall
from gateway.authoring.imports.sdk.typescript_calls import calls_of as typescript_calls

TYPESCRIPT = """
export async function getThing(client: Client, parameters: GetThing): Promise<Thing> {
  const config: SendRequestOptions<Thing> = {
    url: `/rest/things/${encodeURIComponent(parameters.thingId)}`,
    method: 'GET',
  };
  return await client.sendRequest(config);
}
export async function createThing(client: Client, parameters: CreateThing): Promise<Thing> {
  if (parameters.old) {
    return client.sendRequest({
      url: '/rest/old/things',
      method: 'POST',
    });
  }
  const config = {
    url: '/rest/things',
    method: 'POST',
    body: {
      name: parameters.name,
      fields: parameters?.fields,
    },
  };
  return await client.sendRequest(config);
}
"""


def test_methods_of_a_typescript_client() -> None:
    """Each request of each method, with its path's variables and its body's keys."""
    assert list(typescript_calls(TYPESCRIPT)) == [
        TypeScriptCall("getThing", "GET", "/rest/things/{thingId}", ()),
        TypeScriptCall("createThing", "POST", "/rest/old/things", ()),
        TypeScriptCall("createThing", "POST", "/rest/things", ("name", "fields")),
    ]


GITBEAKER = """
var Things = class extends BaseResource {
  all({ projectId, ...options } = {}) {
    let url;
    if (projectId) url = endpoint`projects/${projectId}/things`;
    else url = "things";
    return RequestHelper.get()(this, url, options);
  }
  create(projectId, title, options) {
    return RequestHelper.post()(this, endpoint`projects/${projectId}/things`, {
      ...options,
      title
    });
  }
  odd(projectId, options) {
    const prefix = somewhere();
    return RequestHelper.get()(this, endpoint`${prefix}/things`, options);
  }
};
var ResourceNotes = class extends BaseResource {
  constructor(resourceType, resource2Type, options) {
    super({ prefixUrl: resourceType, ...options });
    this.resource2Type = resource2Type;
  }
  remove(resourceId, resource2Id, noteId, options) {
    return RequestHelper.del()(
      this,
      endpoint`${resourceId}/${this.resource2Type}/${resource2Id}/notes/${noteId}`,
      options
    );
  }
};
var ThingNotes = class extends ResourceNotes {
  constructor(options) {
    super("projects", "things", options);
  }
};
"""


def test_resources_of_gitbeaker() -> None:
    """Generic resources take what they belong to from the constructors below them; a path that is
    put together elsewhere is left out."""
    found = list(gitlab_calls(GITBEAKER))

    assert [(call.resource, call.name, call.method, call.path) for call in found] == [
        ("Things", "all", "GET", "//projects/{projectId}/things"),
        ("Things", "all", "GET", "//things"),
        ("Things", "create", "POST", "//projects/{projectId}/things"),
        (
            "ThingNotes",
            "remove",
            "DELETE",
            "/projects/{resourceId}/things/{resource2Id}/notes/{noteId}",
        ),
    ]
    assert isinstance(found[2], GitLabCall)
    assert found[2].keys == ("title",)
