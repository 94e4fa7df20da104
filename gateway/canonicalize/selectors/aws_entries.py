"""Finds the entries of a request to AWS: the selector's answer, looked up in services' sections.

Reads a section when it is first needed; `needed_sections` says which, so that they can be read
before, away from the event loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.canonicalize.matcher import Candidate, first_that_holds
from gateway.canonicalize.request import ambiguity
from gateway.canonicalize.request.ambiguity import AmbiguityError
from gateway.canonicalize.request.reader import RequestReader
from gateway.canonicalize.selectors.aws import AwsCall, needed_services, select_aws
from gateway.canonicalize.selectors.aws_index import AwsIndex
from gateway.canonicalize.site import Section, Site
from gateway.model.action import Kind

_MEMORY = "aws"


def index_of(site: Site) -> AwsIndex:
    """The index over all services of a site, built when it is first asked for."""
    found = site.memory.get(_MEMORY)
    if found is None:
        found = site.memory[_MEMORY] = AwsIndex(site.facts)
    assert isinstance(found, AwsIndex)
    return found


def needed_sections(site: Site, reader: RequestReader) -> tuple[str, ...]:
    """The sections that a request's entries are in.

    Raises:
        AmbiguityError: as `needed_services`.
    """
    return needed_services(reader, reader.request.authority.host, index_of(site))


def find_aws(
    site: Site, reader: RequestReader, segments: Sequence[str]
) -> tuple[AwsCall, Candidate | None, str | None]:
    """The call, its entry, and the operation's name as far as it is known.

    Raises:
        AmbiguityError: two operations are named, or two services read the path differently.
    """
    call = select_aws(reader, reader.request.authority.host, segments, index_of(site))
    winner: Candidate | None = None
    for service in call.services:
        section = site.section(service)
        if section is None:
            continue
        winner = first_that_holds(entries_of(call, section, reader), reader)
        if winner is not None:
            _check_slashes(call, section, winner, reader)
            break
        method = reader.request.method
        if call.path is not None and section.paths.has_in_other_case(_trimmed(call.path), method):
            raise AmbiguityError(ambiguity.PATH, "the path differs from a known one in case only")
    return call, winner, call.name if winner is None else winner.entry.name


def entries_of(call: AwsCall, section: Section, reader: RequestReader) -> Iterator[Candidate]:
    """All entries of a service that a call could be."""
    if call.operation is not None:
        for entry in section.names.get(f"{section.name}.{call.operation}", ()):
            yield Candidate(entry, call.captured)
    elif call.path is not None:
        yield from section.paths.candidates(_trimmed(call.path), reader.request.method)


def _check_slashes(
    call: AwsCall, section: Section, winner: Candidate, reader: RequestReader
) -> None:
    """An encoded slash is data to AWS (`.../tags/arn%3Aaws%3Aeks%3A...%2Fname`). A server that
    takes it for a separator must not come to another sort of act, unless that is a mere read."""
    path = call.path
    if path is None or not any("/" in segment for segment in path):
        return
    split = "/".join(path).split("/")
    rival = first_that_holds(
        section.paths.candidates(_trimmed(split), reader.request.method), reader
    )
    kinds = {Kind.READ, winner.operation.kind}
    if "" in split[:-1] or (rival is not None and rival.operation.kind not in kinds):
        raise AmbiguityError(ambiguity.PATH, "an encoded slash makes it another operation")


def _trimmed(segments: Sequence[str]) -> Sequence[str]:
    """Without the empty segment of a trailing slash."""
    return segments[:-1] if len(segments) > 1 and not segments[-1] else segments
