import { block, data, frame, headers, setting, types, u32 } from './h2-client.ts'
import type { RawHttp2Connection } from './raw-http2-upstream.ts'

/** What a server of HTTP/2 may send in place of an answer on a stream. */
export type Lie = (connection: RawHttp2Connection, stream: number) => void

/** The head of a good answer. */
export const ok = [':status', '200']

/** Lies about one exchange: its stream ends, and nothing else does. */
export const onStreams: Readonly<Record<string, Lie>> = {
  'no status': (to, id) => to.send(headers(id, ['x-a', 'evil'])),
  'two statuses': (to, id) => to.send(headers(id, [...ok, ':status', '200'])),
  'a status of two digits': (to, id) => to.send(headers(id, [':status', '20'])),
  'a status that is a text': (to, id) => to.send(headers(id, [':status', '200 OK'])),
  'a pseudo-field of requests': (to, id) => to.send(headers(id, [...ok, ':path', '/evil'])),
  'a pseudo-field behind others': (to, id) => to.send(headers(id, ['x-a', 'b', ...ok])),
  'a switch of protocols': (to, id) => to.send(headers(id, [':status', '101'], false)),
  'an interim head that ends the stream': (to, id) => to.send(headers(id, [':status', '103'])),
  'a field about connections': (to, id) => to.send(headers(id, [...ok, 'transfer-encoding', 'chunked'], false), data(id, '5\r\nevil!\r\n0\r\n\r\n', true)),
  'a line break in a value': (to, id) => to.send(headers(id, [...ok, 'x-a', 'b\r\nset-cookie: evil=1'])),
  'a NUL in a value': (to, id) => to.send(headers(id, [...ok, 'x-a', 'b\0evil'])),
  'a colon in a name': (to, id) => to.send(headers(id, [...ok, 'x: evil', 'b'])),
  'a capital letter in a name': (to, id) => to.send(headers(id, [...ok, 'X-Evil', 'b'])),
  'two lengths': (to, id) => to.send(headers(id, [...ok, 'content-length', '4', 'content-length', '5'], false), data(id, 'evil', true)),
  'a length that is none': (to, id) => to.send(headers(id, [...ok, 'content-length', '4x'], false), data(id, 'evil', true)),
  'a length and no body': (to, id) => to.send(headers(id, [...ok, 'content-length', '4'])),
  'a body in front of its head': (to, id) => to.send(data(id, 'evil', true)),
  '1 000 interim heads': (to, id) => to.send(...Array.from({ length: 1_000 }, () => headers(id, [':status', '103', 'link', '</a>'], false))),
  'a head above the limit': (to, id) => to.send(...pieces(id, [...ok, ...Array.from({ length: 20 }, (_, i) => [`x-${i}`, 'y'.repeat(4_000)]).flat()])),
  'more fields than the limit': (to, id) => to.send(headers(id, [...ok, ...Array.from({ length: 300 }, (_, i) => [`x-${i}`, 'y']).flat()])),
  'a reset': (to, id) => to.send(frame(types.reset, 0, id, u32(2))),
}

/** Lies while the body is on its way: the client must not take what it has for the whole. */
export const inBodies: Readonly<Record<string, Lie>> = {
  'more bytes than were announced': (to, id) => to.send(headers(id, [...ok, 'content-length', '8'], false), data(id, 'half'), data(id, 'and evil', true)),
  'fewer bytes than were announced': (to, id) => to.send(headers(id, [...ok, 'content-length', '40'], false), data(id, 'half', true)),
  'a second head': (to, id) => to.send(headers(id, ok, false), data(id, 'half'), headers(id, ok, false), data(id, 'evil', true)),
  'a pseudo-field behind the body': (to, id) => to.send(headers(id, ok, false), data(id, 'half'), headers(id, [':status', '200'])),
  'trailers with a line break': (to, id) => to.send(headers(id, ok, false), data(id, 'half'), headers(id, ['x-a', 'b\r\nevil: c'])),
  'a reset after half of it': (to, id) => to.send(headers(id, ok, false), data(id, 'half'), frame(types.reset, 0, id, u32(0))),
}

/** What breaks the connection for all: who had no answer yet gets a fault, the next request a new connection. */
export const onConnections: Readonly<Record<string, Lie>> = {
  'a pushed stream': (to, id) => to.send(frame(5, 4, id, Buffer.concat([u32(2), block([':path', '/evil'])]))),
  'an answer on a stream that was never opened': (to) => to.send(headers(999, ok)),
  'an answer on a stream of its own': (to) => to.send(headers(2, ok)),
  'a body on a stream that was never opened': (to) => to.send(data(1001, 'evil')),
  'a reset of a stream that was never opened': (to) => to.send(frame(types.reset, 0, 1001, u32(8))),
  'DATA on stream 0': (to) => to.send(data(0, 'evil')),
  'bytes without end on a stream that was reset': (to, id) => {
    to.send(headers(id, ['x-a', 'b'], false))
    for (let i = 0; i < 30; i++) to.send(...Array.from({ length: 100 }, () => data(id, Buffer.alloc(16_384))))
  },
  'a window above 2^31-1': (to) => to.send(frame(types.window, 0, 0, u32(0x7fff_ffff))),
  'a WINDOW_UPDATE of nothing': (to) => to.send(frame(types.window, 0, 0, u32(0))),
  'SETTINGS that cannot be': (to) => to.send(setting([5, 1])),
  'permission to push': (to) => to.send(setting([2, 1])),
  'a frame of 64 KiB': (to, id) => to.send(data(id, Buffer.alloc(65_536))),
  'a head that its table cannot explain': (to, id) => to.send(frame(types.headers, 5, id, Buffer.from([0xff, 0xff, 0xff]))),
  'another frame in the middle of a head': (to, id) => to.send(frame(types.headers, 0, id, block(ok)), data(id, 'evil', true)),
  'CONTINUATION without end': (to, id) => to.send(frame(types.headers, 0, id, block(ok)), ...Array.from({ length: 200 }, () => frame(types.continuation, 0, id, block(['x-a', 'y'.repeat(1_000)])))),
  'CONTINUATION without a head': (to, id) => to.send(frame(types.continuation, 4, id, block(ok))),
  'noise': (to) => to.send(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')),
  'a flood of PING': (to) => to.send(...Array.from({ length: 5_000 }, () => frame(types.ping, 0, 0, Buffer.alloc(8)))),
  'a flood of SETTINGS': (to) => to.send(...Array.from({ length: 5_000 }, () => setting([4, 65_535]))),
  'a flood of empty DATA': (to, id) => to.send(headers(id, ok, false), ...Array.from({ length: 5_000 }, () => data(id, ''))),
  'a flood of PRIORITY': (to, id) => to.send(...Array.from({ length: 5_000 }, () => frame(types.priority, 0, id, Buffer.concat([u32(0), Buffer.from([1])])))),
  'a flood of WINDOW_UPDATE': (to) => to.send(...Array.from({ length: 10_000 }, () => frame(types.window, 0, 0, u32(1)))),
  'a flood of unknown frames': (to) => to.send(...Array.from({ length: 5_000 }, () => frame(0xee, 0, 0, 'x'))),
  'a flood of GOAWAY': (to) => to.send(...Array.from({ length: 5_000 }, () => frame(types.goAway, 0, 0, u32(0x7fff_ffff, 0)))),
  'a frame that never ends': (to) => to.send(Buffer.from([0, 0x10, 0, 0, 0, 0, 0, 0, 1])),
}

/** A head in frames of the size that everybody takes. */
function pieces (stream: number, fields: readonly string[]): Buffer[] {
  const all = block(fields)
  const cut = Array.from({ length: Math.ceil(all.length / 16_384) }, (_, i) => all.subarray(i * 16_384, (i + 1) * 16_384))
  return cut.map((piece, i) => frame(i === 0 ? types.headers : types.continuation, (i === 0 ? 1 : 0) | (i === cut.length - 1 ? 4 : 0), stream, piece))
}
