"""The nftables rules of transparent mode, as text. Pure.

For the network namespace of the agent (a pod, a container, a machine of its own): all TCP of
everybody but the gateway's own user is redirected to the gateway, and nothing else has a way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from textwrap import indent

TEMPLATE = """\
#!/usr/sbin/nft -f
# Everything that this network namespace sends goes through the gateway, or not at all.
#
# Load it inside the agent's network namespace, before the agent starts (`nft -f FILE`), and start
# the gateway as user {uid} with CHECKREIN_TRANSPARENT_PORT={port}. It holds as long as the agent
# - is not root and not user {uid}, and can become neither (no setuid programs, no_new_privs);
# - has neither CAP_NET_ADMIN nor CAP_NET_RAW, and shares no process namespace with the gateway.
# A gateway that is not running means refused connections. Loading it again replaces it.

table inet checkrein
delete table inet checkrein

table inet checkrein {{
    chain to_gateway {{
        type nat hook output priority -100; policy accept;

        meta skuid {uid} return comment "the gateway itself"
        ip daddr 127.0.0.0/8 return comment "loopback is no way out"
        ip6 daddr ::1 return
{dns_return}
        tcp dport 853 return comment "DNS over TLS is refused below"
        meta l4proto tcp redirect to :{port}
    }}

    chain way_out {{
        type filter hook output priority 0; policy drop;

        meta skuid {uid} accept comment "the gateway itself"
        # Never direct, whoever allows what below: the metadata services of clouds.
        ip daddr 169.254.169.254 reject with icmpx type admin-prohibited
        ip6 daddr fd00:ec2::254 reject with icmpx type admin-prohibited
        oifname "lo" accept
        # A redirected packet is judged with the interface that it would have left by.
        ct status dnat accept
        ct state established,related accept comment "answers to those who connected to us"
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} accept
{dns_accept}
        # Refused at once rather than dropped, so that clients fall back to what is governed.
        udp dport 443 reject with icmpx type admin-prohibited comment "QUIC"
        udp dport 853 reject with icmpx type admin-prohibited comment "DNS over QUIC"
        tcp dport 853 reject with tcp reset comment "DNS over TLS"
        reject with icmpx type admin-prohibited
    }}

    chain passing_through {{
        type filter hook forward priority 0; policy drop;
    }}
}}
"""

NO_RESOLVER = "# no resolver was named (--resolver), so no name can be looked up past the gateway"


def nftables_rules(gateway_uid: int, port: int, resolvers: Sequence[str] = ()) -> str:
    """All of them. `resolvers` are the addresses that may be asked for names.

    Raises:
        ValueError: a resolver is not an address.
    """
    places = [ip_address(text) for text in resolvers]
    families = [("ip6" if isinstance(place, IPv6Address) else "ip", place) for place in places]
    returns = [f"{family} daddr {place} tcp dport 53 return" for family, place in families]
    accepts = [
        f"{family} daddr {place} {protocol} dport 53 accept"
        for family, place in families
        for protocol in ("udp", "tcp")
    ]
    return TEMPLATE.format(
        uid=gateway_uid,
        port=port,
        dns_return=_lines(returns or [NO_RESOLVER]),
        dns_accept=_lines(accepts or [NO_RESOLVER]),
    )


def _lines(rules: Sequence[str]) -> str:
    return indent("\n".join(rules), " " * 8)
