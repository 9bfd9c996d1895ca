import { constants, createBrotliCompress, createDeflate, createGzip, type BrotliCompress, type Deflate, type Gzip } from 'node:zlib'
import * as zlib from 'node:zlib'
import type { Body } from '../pipeline/body.ts'
import { chosenCoding, type Coding } from '../pipeline/content-coding.ts'
import type { Filter, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { listItems, type HeaderList } from '../pipeline/headers.ts'
import { addVary } from '../pipeline/vary.ts'

export interface CompressSettings {
  /** The preferred first. */
  readonly algorithms: readonly Coding[]
  /** 1 = fast, 11 = small. */
  readonly level: number
  /** Bytes. Bodies whose length nobody knows count as large. */
  readonly minSize: number
  /** "text/html", "text/*". */
  readonly contentTypes: readonly string[]
}

type Packer = Gzip | Deflate | BrotliCompress

/** zstd came to Node.js with 22.15. */
const createZstd = (zlib as { readonly createZstdCompress?: (options: object) => Packer }).createZstdCompress

/** Memory of a stream: 1 MiB of window for Brotli, a quarter of that for the others. */
const packers: Readonly<Record<Coding, ((level: number) => Packer) | undefined>> = {
  gzip: (level) => createGzip({ level: Math.min(level, 9) }),
  deflate: (level) => createDeflate({ level: Math.min(level, 9) }),
  br: (level) => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: level, [constants.BROTLI_PARAM_LGWIN]: 19 } }),
  zstd: createZstd === undefined ? undefined : (level) => createZstd({ params: { 100: level } }),
}

/** Codings that this Node.js can make. */
export function canPack (coding: Coding): boolean {
  return packers[coding] !== undefined
}

/** Packs answers for clients that say they unpack them (RFC 9110 section 8.4). */
export function compressFilter ({ algorithms, level, minSize, contentTypes }: CompressSettings): Filter {
  const codings = algorithms.filter(canPack)
  const isText = typeMatcher(contentTypes)
  return {
    name: 'compress',
    onResponse (x, reply) {
      if (!isPackable(reply, minSize) || !isText(reply.headers.get('content-type') ?? '')) return undefined
      // Whatever this client takes: another one would have got something else.
      addVary(reply.headers, 'Accept-Encoding')
      const coding = x.request.method === 'HEAD' ? undefined : chosenCoding(x.request.headers, codings)
      return coding === undefined ? undefined : packed(reply, coding, level)
    },
  }
}

function isPackable ({ status, headers, body }: Reply, minSize: number): boolean {
  if (body === undefined || status < 200 || status === 204 || status === 206 || status === 304) return false
  if (headers.has('content-encoding') || headers.has('content-range')) return false
  // RFC 9111 section 5.2.2.6: the sender wants these very bytes to arrive.
  if (headers.has('cache-control') && listItems(headers.getAll('cache-control').join(',')).includes('no-transform')) return false
  return body.length === undefined || body.length >= minSize
}

function typeMatcher (types: readonly string[]): (contentType: string) => boolean {
  const exact = new Set(types.map((type) => type.toLowerCase()))
  return (contentType) => {
    const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
    return exact.has(type) || exact.has(`${type.split('/', 1)[0]}/*`)
  }
}

function packed ({ status, headers, body }: Reply, coding: Coding, level: number): Reply {
  headers.set('Content-Encoding', coding)
  forgetBytes(headers)
  return { status, headers, body: new PackedBody(body!, packers[coding]!(level)) }
}

/** The answer means the same in other bytes: its strong validator becomes a weak one (RFC 9110 section 8.8.1), and parts of it cannot be asked for. */
function forgetBytes (headers: HeaderList): void {
  const etag = headers.get('etag')
  if (etag !== undefined && !etag.startsWith('W/')) headers.set('ETag', `W/${etag}`)
  for (const name of ['content-length', 'accept-ranges', 'content-md5', 'digest', 'content-digest']) headers.remove(name)
}

/** A body on its way through zlib. A source whose end nobody knows is a stream: each piece of it goes on at once. */
class PackedBody implements Body {
  readonly length = undefined
  readonly #source: Body
  readonly #packer: Packer
  readonly #ready: Buffer[] = []
  #failed: Error | undefined = undefined
  #over = false

  constructor (source: Body, packer: Packer) {
    this.#source = source
    this.#packer = packer
    packer.on('data', (bytes: Buffer) => this.#ready.push(bytes))
    packer.on('error', (error: Error) => { this.#failed = error })
  }

  get trailers (): HeaderList | undefined {
    return this.#source.trailers
  }

  async read (): Promise<Buffer | undefined> {
    while (this.#ready.length === 0 && !this.#over) await this.#fill()
    if (this.#failed !== undefined) throw new Fault('INTERNAL', `packing an answer: ${this.#failed.message}`, this.#failed)
    return this.#ready.shift()
  }

  cancel (reason?: Fault): void {
    this.#over = true
    this.#ready.length = 0
    this.#packer.destroy()
    this.#source.cancel(reason)
  }

  async #fill (): Promise<void> {
    const chunk = await this.#source.read()
    if (this.#over) return
    if (chunk === undefined) {
      await this.#done((done) => this.#packer.once('end', done).end())
      this.#over = true
      return
    }
    await this.#done((done) => this.#packer.write(chunk, done))
    if (this.#source.length !== undefined || this.#over) return
    await this.#done((done) => this.#packer.flush(done))
    // What was flushed may come a moment after the word that it was.
    if (this.#ready.length === 0) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Resolves when zlib has taken it, or is gone. */
  #done (start: (done: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      this.#packer.once('close', resolve)
      start(() => {
        this.#packer.off('close', resolve)
        resolve()
      })
    })
  }
}
