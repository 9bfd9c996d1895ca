// Fields behind a body that some servers merge into the head, or read as the next request. Kettle 2022; "TRAILER smuggling", CVE-2023-46589 and CVE-2024-52316
// (Tomcat), CVE-2025-12642 (lighttpd), CVE-2025-8671. RFC 9110 section 6.5.1.
import { chunk, chunked, hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a trailer', {
  refused: Object.fromEntries(Object.entries({
    'that gives a length': `${lengthOf(hidden)}\r\n`, 'that gives a coding': `${chunked}\r\n`, 'that names a host': 'Host: b\r\n\r\n', 'that steers the connection': 'Connection: keep-alive\r\n\r\n', 'that switches protocols': 'Upgrade: h2c\r\n\r\n',
    'behind a bare LF': 'X: y\n\r\n', 'ended by a bare LF': 'X: y\r\n\n', 'with a bare CR': 'X: y\rZ: a\r\n\r\n', 'in two lines': 'X: y\r\n z\r\n\r\n', 'with a space before the colon': 'X : y\r\n\r\n', 'without a colon': 'X\r\n\r\n',
    'without a name': ': y\r\n\r\n', 'that begins with a space': ' X: y\r\n\r\n', 'with a NUL': 'X: \0\r\n\r\n', 'that is a request': hidden,
  }).map(([what, trailers]) => [what, post(chunked, `0\r\n${trailers}${hidden}`)])),
  one: {
    'that is harmless': post(chunked, `${chunk(hidden)}0\r\nX: y\r\n\r\n`),
    'that would give a length under another name': post(chunked, `${chunk(hidden)}0\r\nContent_Length: 3\r\nContent.Length: 3\r\nTransfer!Encoding: x\r\n\r\n`),
    'that says who the client is': post(chunked, `${chunk(hidden)}0\r\nX-Forwarded-For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nCookie: evil\r\n\r\n`),
  },
})
