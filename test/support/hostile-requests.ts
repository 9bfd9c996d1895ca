/**
 * Requests of attackers, made by chance out of what was published about request smuggling: Linhart and others 2005 ("HTTP Request Smuggling"), Kettle
 * 2019 ("HTTP Desync Attacks"), 2021 ("HTTP/2: The Sequel is Always Worse"), 2022 ("Browser-Powered Desync Attacks"), 2025 ("HTTP/1.1 must die"),
 * Jabiyev and others 2021 (T-Reqs), Kallus and Bailey 2024 (HTTP Garden), Grenfeldt and others 2021 ("Attacking Websites Using HTTP Request Smuggling"),
 * Kuczynski 2025 ("Funky chunks": TERM.EXT, EXT.TERM, TERM.SPILL, SPILL.TERM).
 */
import { pick, type Random } from './chance.ts'

const heads = [
  'GET / HTTP/1.1\r\nHost: a\r\n', 'POST /p?q=1 HTTP/1.1\r\nHost: a.b:80\r\n', 'POST http://a/x HTTP/1.1\r\nHost: a\r\n', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n',
  'GET / HTTP/1.0\r\n', 'HEAD /h HTTP/1.1\r\nhost:\ta \r\nConnection: close\r\n', 'PUT / HTTP/1.1\r\nHost: [::1]:8080\r\nExpect: 100-continue\r\n',
  'POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n', 'DELETE //a/../b;c?d HTTP/1.1\r\nHOST: A.b.\r\nConnection: Keep-Alive, X-A\r\nX-A: 1\r\n', '\r\nPATCH /x%2e%2e/%0d%0a HTTP/1.1\r\nHost: a\r\n',
  'POST /con HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n', 'OPTIONS http://a HTTP/1.1\r\nHost: b\r\nMax-Forwards: 3\r\n',
]

/** Without a flaw: what is changed in them gets past the first look. */
const plain = [
  '\r\n', 'Content-Length: 5\r\n\r\nhello', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n00\r\nT: v\r\n\r\n',
  'Content-Length: 31\r\n\r\nGET /x HTTP/1.1\r\nHost: hidden\r\n\r\n', 'A: b\r\nC-D: e\r\nContent-Length: 5\r\nE_F: g\r\n\r\nhello',
]
const framings = [
  '\r\n', 'Content-Length: 5\r\n\r\nhello', 'Content-Length: 0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'Content-Length: 0005\r\n\r\nhello',
  'Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n00\r\nT: v\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Content-Length: 31\r\n\r\nGET /x HTTP/1.1\r\nHost: hidden\r\n\r\n',
  // CL.TE, TE.CL, TE.TE, CL.CL, CL.0, 0.CL, TE.0 and what hides a coding from one of two readers.
  'Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST\r\n0\r\n\r\n',
  'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n',
  'Transfer-Encoding:[\x0bchunked\r\n\r\n0\r\n\r\n', 'X: X\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding\n: chunked\r\n\r\n0\r\n\r\n',
  ' Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc',
  'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!', 'Content-Length: 5, 5\r\n\r\nhello', 'Content-Length: +5\r\n\r\nhello', 'Content-Length: 0x5\r\n\r\nhello',
  'Content-Length: 5 \r\n\r\nhello', 'Content-Length: 5\t\r\n\r\nhello', 'Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n', 'Content-Length:\r\n 5\r\n\r\nhello',
  'Content_Length: 5\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n', 'Content.Length: 5\r\n\r\nhello', 'Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n', 'Content-Length: -1\r\n\r\n', 'Content-Length: 5\r\ncontent-length:5\r\n\r\nhello',
  'Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'Content-Length: 5\r\nConnection: close, Content-Length\r\n\r\nhello', 'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
  'Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello',
  'Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello', 'Expect: y 100-continue\r\nContent-Length: 5\r\n\r\nhello', 'Expect:\n100-continue\r\nContent-Length: 5\r\n\r\nhello', 'Content-Length: 5\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\nhello',
  'X-Content-Length: 5\r\nXTransfer-Encoding: chunked\r\n\r\n', 'Content-Length\0: 5\r\n\r\nhello', 'Content-Length: 5\0\r\n\r\nhello', 'Content-Length: \xb5\r\n\r\nhello', 'Content-Length: 5\xa0\r\n\r\nhello',
  'Content-Length: 18446744073709551621\r\n\r\nhello', 'Content-Length: 4294967301\r\n\r\nhello', 'Content-Length: 5e0\r\n\r\nhello', 'Content-Length: 0_5\r\n\r\nhello',
  // Chunk sizes, extensions, trailers and their ends.
  'Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n5;\nx\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx',
  'Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 7\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n5;a="b\r\nc"\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n2;\n02\r\n23\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n2\nxx\r\n23\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\rX\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5;a="x;y\\"z";b\r\nhello\r\n0;c\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5;;\r\nhello\r\n0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\n X: folded\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\nContent_Length: 3\r\nX-User: root\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\n: x\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n00000000000000000005\r\nhello\r\n0\r\n\r\n',
  // Heads with a flaw.
  'A: b\r\n folded\r\n\r\n', 'A\r\n\r\n', ': b\r\n\r\n', 'A: b\0c\r\n\r\n', 'A: b\rc\r\n\r\n', 'A(b): c\r\n\r\n', 'Host: b\r\n\r\n', 'A: \x80\xff\r\n\r\n', 'A:\r\nB: \r\n\r\n', 'A: \x85Content-Length: 5\r\n\r\n', 'X_User: root\r\nX-Forwarded_For: 6.6.6.6\r\n\r\n',
]

const pieces = [
  '\r', '\n', '\r\n', '\r\n\r\n', ' ', '\t', '\0', ':', ',', ';', '\x0b', '\x0c', '\x7f', '\xa0', '\x85', '0', '1', '5', 'a', '"', '=', 'chunked', 'Transfer-Encoding', 'Content-Length', 'Transfer-Encoding: chunked\r\n',
  'Content-Length: 3\r\n', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'Host: x\r\n', 'GET / HTTP/1.1\r\nHost: b\r\n\r\n', '0\r\n\r\n', '_', '-', 'Connection: keep-alive\r\n', 'Connection: close\r\n', '%0d%0a', '#', '?', '\\',
  'Expect: 100-continue\r\n', '\n\n', '\r\r', '\n\r', ' :', '0x', '+', 'ffffffff', '5\r\nhello\r\n', '0\n\n', 'T: v\r\n', '\xe5\x98\x8a', '%', '/', '//', '@', 'http://', '*',
]

/** One to three requests in a row, with up to three changes. */
export function hostileRequest (random: Random): string {
  let text = ''
  for (let count = 1 + random(3); count > 0; count--) text += pick(heads, random) + pick(random(2) === 0 ? plain : framings, random)
  return changed(text, pieces, random)
}

/** Up to three changes: something put in, something cut out, one octet in the place of others. */
export function changed (given: string, spliced: readonly string[], random: Random): string {
  let text = given
  for (let changes = random(1 + random(4)); changes > 0; changes--) {
    const at = random(text.length + 1)
    const cut = random(3) === 0 ? random(6) : random(2)
    text = text.slice(0, at) + (random(4) === 0 ? String.fromCharCode(random(256)) : pick(spliced, random)) + text.slice(at + cut)
  }
  return text
}

/** The same bytes in pieces of any length. */
export function inPieces (bytes: Buffer, random: Random, longest = 40): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const length = 1 + random(longest)
    parts.push(bytes.subarray(at, at + length))
    at += length
  }
  return parts
}
