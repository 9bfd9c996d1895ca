import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAnswers } from '../../support/http1-answers.ts'

const read = (text: string, method = 'GET'): ReturnType<typeof readAnswers> => readAnswers(Buffer.from(text, 'latin1'), method, () => 3)

const refused = (text: string): string => {
  const { refused: why, answers } = read(text)
  assert.ok(why !== undefined, `${JSON.stringify(text)} was taken: ${JSON.stringify(answers)}`)
  return why
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('answers of every framing, in a row', () => {
  const { answers } = read(`${ok}HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\nHTTP/1.1 204 \r\n\r\nHTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the end`)
  assert.deepEqual(answers.map(({ status, body, trailers, complete }) => [status, body, trailers.join(), complete]), [
    [200, 'ok', '', true], [200, 'abc', 'T,v', true], [204, '', '', true], [304, '', '', true], [200, 'to the end', '', true],
  ])
})

test('the answer to HEAD has no body, whatever it says', () => {
  const { answers } = read('HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', 'HEAD')
  assert.deepEqual(answers.map(({ body, complete }) => [body, complete]), [['', true], ['', true], ['', true]])
})

test('interim answers are read over, a flood of them is not', () => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
  assert.deepEqual(read(`HTTP/1.1 100\r\n\r\n${interim}${ok}`).answers.map(({ status }) => status), [100, 103, 200])
  assert.match(refused(interim.repeat(40)), /interim/)
  assert.match(refused('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'), /switch/)
  for (const framing of ['Content-Length: 40', 'Transfer-Encoding: chunked', 'Connection: close']) assert.match(refused(`HTTP/1.1 100 C\r\n${framing}\r\n\r\n${ok}`), /interim/)
})

test('HTTP/1.0 and Connection: close end the row', () => {
  for (const head of ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n', 'HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\n']) {
    assert.equal(read(`${head}ok${ok}`).answers.length, 1)
  }
  assert.equal(read(`HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok${ok}`).answers.length, 2)
})

test('a body cut short is not whole', () => {
  for (const text of ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n']) {
    assert.deepEqual(read(text).answers.map(({ complete }) => complete), [false])
  }
})

test('what two readers could take for different answers is refused', () => {
  for (const fields of [
    'Content-Length: 1\r\nContent-Length: 2\r\n', 'Content-Length: 1\r\nContent-Length: 1\r\n', 'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n', 'Content-Length: 1x\r\n',
    'Transfer-Encoding: gzip, chunked\r\n', 'A: b\r\n folded\r\n', 'A : b\r\n', 'A: b\rc\r\n', 'A: b\nc\r\n', 'A: b\0\r\n', 'A: \x7f\r\n', ': a\r\n', 'A\r\n',
    'X: y\r\n'.repeat(201), `X: ${'y'.repeat(70_000)}\r\n`,
  ]) refused(`HTTP/1.1 200 OK\r\n${fields}\r\nx`)
  for (const body of ['5 \r\nhello\r\n0\r\n\r\n', '0x5\r\nhello', '5\nhello', '5\r\nhelloXX', 'g\r\n', '0\r\nContent-Length: 3\r\n\r\n', `0\r\n${'X: y\r\n'.repeat(201)}\r\n`]) {
    refused(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)
  }
})

test('a head that will never be one is not waited for', () => {
  for (const text of ['SSH-2.0-OpenSSH\r\n', 'HTTP/1.1 200 OK\nA: b\n', 'HTTP/1.1 200 OK\r\nA: b\rc', '\r\n']) refused(text)
})
