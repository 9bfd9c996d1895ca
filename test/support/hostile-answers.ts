/** Answers of targets that lie, or that were made to answer twice: what was published about response splitting, response queues and hidden answers. */
import { pick, type Random } from './chance.ts'
import { changed } from './hostile-requests.ts'

const heads = [
  'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\nDate: x\r\n', 'HTTP/1.1 200\r\n', 'HTTP/1.1 404 \r\nServer: s\r\n', 'HTTP/1.0 200 OK\r\n', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n', 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.1 304 Not Modified\r\n',
  'HTTP/1.1 102 Processing\r\n', 'HTTP/1.1 500 \xe9\xff\r\nSet-Cookie: a\r\nset-cookie: b\r\n', 'HTTP/1.1 200 OK\r\nConnection: close\r\n', 'HTTP/1.1 413 No\r\nConnection: x\r\nX: y\r\n', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n',
]
/** Without a flaw: what is changed in them gets past the first look. */
const plain = [
  'Content-Length: 5\r\n\r\nhello', 'Content-Length: 0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n00\r\nT: v\r\n\r\n',
]
const framings = [
  '\r\n', '\r\nto the end', 'Content-Length: 5\r\n\r\nhello', 'Content-Length: 0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n00\r\nT: v\r\n\r\n', 'transfer-encoding: Chunked\r\n\r\n0\r\n\r\n',
  'Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nHTTP/1.1 200\r\n0\r\n\r\n', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
  'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc',
  'Transfer-Encoding: gzip\r\n\r\nx', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!', 'Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello', 'Content-Length: 5, 5\r\n\r\nhello',
  'Content-Length: +5\r\n\r\nhello', 'Content-Length: 5 \r\n\r\nhello', 'Content-Length:\r\n 5\r\n\r\nhello', 'Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
  'Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 7\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n', 'Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx',
  'Transfer-Encoding: chunked\r\n\r\n2;\n02\r\n23\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n',
  'Content-Length: 18446744073709551621\r\n\r\nhello', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Content-Length: 5\r\nConnection: Content-Length\r\n\r\nhello', 'Keep-Alive: timeout=5, max=1\r\nContent-Length: 5\r\n\r\nhello',
  'Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\nSet-Cookie: evil\r\n\r\n', 'Content-Length: 5\r\n\r\nhel', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n',
  'A: b\r\n folded\r\n\r\n', 'A\r\n\r\n', 'A: b\0c\r\n\r\n', 'A: b\rSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n', 'A: b\nC: d\r\nContent-Length: 0\r\n\r\n', 'A: \x80\xff\r\nContent-Length: 0\r\n\r\n',
]
const pieces = [
  '\r', '\n', '\r\n', '\r\n\r\n', ' ', '\t', '\0', ':', ',', ';', '\x0b', '\x7f', '\xa0', '0', '1', '5', 'a', 'chunked', 'Transfer-Encoding', 'Content-Length', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 3\r\n',
  'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', '200', '100', '204', '304', 'HTTP/1.1 200 OK\r\n\r\n', '0\r\n\r\n', '-', 'Connection: keep-alive\r\n', 'Connection: close\r\n', 'Connection: upgrade\r\nUpgrade: x\r\n',
]

/** One to three answers in a row, with up to three changes. */
export function hostileAnswer (random: Random): string {
  let text = ''
  for (let count = 1 + random(1 + random(3)); count > 0; count--) text += pick(heads, random) + pick(random(2) === 0 ? plain : framings, random)
  return changed(text, pieces, random)
}
