// CL.TE: the first server goes by Content-Length, the second by Transfer-Encoding. Linhart and others 2005 ("HTTP Request Smuggling"); Kettle 2019 ("HTTP
// Desync Attacks: Request Smuggling Reborn"); CVE-2019-18277 (HAProxy), CVE-2021-33193. RFC 9112 section 6.3 allows only to refuse, or to repair and close.
import { chunked, hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a length before a coding', {
  refused: {
    'both, and a request behind the last chunk': post(`Content-Length: ${hidden.length + 5}\r\n${chunked}`, `0\r\n\r\n${hidden}`),
    'both, and a beginning of one': post(`Content-Length: 6\r\n${chunked}`, '0\r\n\r\nG'),
    'both, and they agree': post(`Content-Length: 5\r\n${chunked}`, `0\r\n\r\n${hidden}`),
    'a length of 0 beside the coding': post(`Content-Length: 0\r\n${chunked}`, `0\r\n\r\n${hidden}`),
    'a broken length beside the coding': post(`Content-Length: x\r\n${chunked}`, `0\r\n\r\n${hidden}`),
    'an empty length beside the coding': post(`Content-Length:\r\n${chunked}`, `0\r\n\r\n${hidden}`),
    'far from each other': post(`Content-Length: 5\r\n${'X: y\r\n'.repeat(90)}${chunked}`, `0\r\n\r\n${hidden}`),
    'the coding only named by Connection': post(`Content-Length: 5\r\nConnection: Transfer-Encoding\r\n${chunked}`, `0\r\n\r\n${hidden}`),
    'in GET': post(`Content-Length: 5\r\n${chunked}`, `0\r\n\r\n${hidden}`).replace('POST', 'GET'),
    'in HTTP/1.0': post(`Content-Length: 5\r\n${chunked}`, `0\r\n\r\n${hidden}`).replace('1.1', '1.0'),
  },
  one: {
    'a request in a body of known length': post(lengthOf(hidden), hidden),
  },
})
