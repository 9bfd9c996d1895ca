// A line that goes on with the one before for one server, and is a field of its own for another. Linhart and others 2005; Kettle 2019; CVE-2020-7238 (Netty),
// CVE-2022-32214. RFC 9112 section 5.2.
import { chunked, hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a folded line', {
  refused: Object.fromEntries(Object.entries({
    'that hides a coding': `X: y\r\n ${chunked}`, 'that hides a coding behind a tab': `X: y\r\n\t${chunked}`, 'that hides a length': `X: y\r\n ${lengthOf(hidden)}`, 'with the value of a coding': 'Transfer-Encoding:\r\n chunked\r\n',
    'with the value of a length': `Content-Length:\r\n ${hidden.length}\r\n`, 'with more of a length': 'Content-Length: 3\r\n 3\r\n', 'with more of a coding': 'Transfer-Encoding: chunked\r\n , identity\r\n', 'of nothing but a space': `X: y\r\n \r\n${lengthOf(hidden)}`,
    'with a name that ends in it': `Content-\r\n Length: ${hidden.length}\r\n`, 'with another host': 'X: y\r\n Host: b\r\n',
  }).map(([what, fields]) => [what, post(fields, hidden)]).concat([
    ['as the first line', `GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n${hidden}`], ['as the first line, with a host', `GET / HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n${hidden}`], ['of the request line', `GET /\r\n HTTP/1.1\r\nHost: a\r\n\r\n${hidden}`],
  ])),
})
