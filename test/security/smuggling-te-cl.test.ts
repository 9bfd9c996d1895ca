// TE.CL: the first server goes by Transfer-Encoding, the second by Content-Length. Kettle 2019 ("HTTP Desync Attacks"); CVE-2020-8287 (Node), CVE-2022-1705 (Go).
import { chunk, chunked, hidden, post, smuggling } from '../support/smuggling.ts'

smuggling('a coding before a length', {
  refused: {
    'both, and a request in a chunk': post(`${chunked}Content-Length: 4\r\n`, `${chunk(hidden)}0\r\n\r\n`),
    'both, and an empty body': post(`${chunked}Content-Length: 4\r\n`, `0\r\n\r\n${hidden}`),
    'the length only named by Connection': post(`${chunked}Connection: Content-Length\r\nContent-Length: 4\r\n`, `${chunk(hidden)}0\r\n\r\n`),
    'two lengths beside the coding': post(`Content-Length: 4\r\n${chunked}Content-Length: 5\r\n`, `${chunk(hidden)}0\r\n\r\n`),
  },
  one: {
    'a request in a chunk': post(chunked, `${chunk(hidden)}0\r\n\r\n`),
    'a request in two chunks': post(chunked, `${chunk(hidden.slice(0, 9))}${chunk(hidden.slice(9))}0\r\n\r\n`),
  },
})
