"""A program in namespaces of its own, whose only way out is the gateway. Linux only.

    network   nothing but a loopback interface. *Every* address is local to it ("AnyIP": a local
              route to 0.0.0.0/0 and ::/0), so a connection to any address at one of a few ports
              arrives at listeners of ours, and their local address is where the program wanted to
              go. Every other port is refused, and no datagram has anywhere to go.
    names     a resolver on port 53 of every address answers each name with one address; what is
              asked of a server is what TLS or Host says, so the address means nothing.
    forwarder the listeners are made inside and served from outside, by a process of the parent's
              namespaces that speaks to the gateway with the agent's credentials. Nothing of ours
              runs where the program could get hold of it.

Why so: no veth pair, no nftables and no root are needed, and there is nothing to misconfigure; what
is not forwarded has no route. A filter in a network that has a way out must be right about all that
it does not let through; this one need only be right about what it does.
"""
