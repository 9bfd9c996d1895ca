// Lines that end for one server where they go on for another. RFC 9112 section 2.2 lets servers take a bare LF; Kettle 2019; Kallus and Bailey 2024 (HTTP Garden);
// CVE-2022-32214 and CVE-2023-30589 (Node), CVE-2024-6827 (gunicorn).
import { chunked, hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a line end', {
  refused: {
    'of LF before a coding': post(`X: y\n${chunked}`, `0\r\n\r\n${hidden}`), 'of LF before a length': post(`X: y\nContent-Length: 33\r\n`, hidden), 'of CR before a coding': post(`X: y\r${chunked}`, `0\r\n\r\n${hidden}`), 'of CR before a length': post('X: y\rContent-Length: 33\r\n', hidden),
    'of LF everywhere': hidden.replaceAll('\r\n', '\n') + hidden, 'of CR everywhere': hidden.replaceAll('\r\n', '\r') + hidden, 'of LF CR': hidden.replaceAll('\r\n', '\n\r') + hidden, 'of CR CR LF': hidden.replaceAll('\r\n', '\r\r\n') + hidden,
    'of LF behind the request line': `GET / HTTP/1.1\nHost: a\r\n\r\n${hidden}`, 'of LF behind the last field': `GET / HTTP/1.1\r\nHost: a\n\r\n${hidden}`, 'of LF that ends the head': `GET / HTTP/1.1\r\nHost: a\r\n\n${hidden}`, 'of CR that ends the head': `GET / HTTP/1.1\r\nHost: a\r\n\r${hidden}`,
    'of LF in a name': post('Transfer-Encoding\n: chunked\r\n', `0\r\n\r\n${hidden}`), 'of CR in a value': post('X: a\rb\r\n', hidden), 'of LF before a request': `\n${hidden}`, 'of CR before a request': `\r${hidden}`, 'of two empty lines before a request': `\r\n\r\n${hidden}`,
    'of LF behind a chunk': post(chunked, `1\r\na\n0\r\n\r\n${hidden}`), 'of LF behind the last chunk': post(chunked, `0\n\r\n${hidden}`), 'of LF that ends the body': post(chunked, `0\r\n\n${hidden}`), 'of CR behind the last chunk': post(chunked, `0\r\r\n${hidden}`),
    'of other characters that some count as one': `GET / HTTP/1.1\x0bHost: a\r\n\r\n${hidden}`,
  },
  one: {
    'of CRLF, one before the request': `\r\n${post(lengthOf(hidden), hidden)}`,
    'of CRLF, and others in a body': post(`Content-Length: ${hidden.length + 4}\r\n`, `\n\r\n\r${hidden}`),
    'that only some languages know, in a value': post(`X: a\x85Content-Length: 0\r\n${lengthOf(hidden)}`, hidden),
  },
})
