import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { MaybePromise } from '../../pipeline/body.ts'
import { chosenCoding, type Coding } from '../../pipeline/content-coding.ts'
import type { Exchange, Reply, Responder } from '../../pipeline/exchange.ts'
import { refusal } from '../../pipeline/fault-reply.ts'
import { Fault } from '../../pipeline/faults.ts'
import { answerWith, listingAnswer, redirectInto } from './answer.ts'
import { FileBody, memoryBody } from './file-body.ts'
import { codings, Finder, type FileCoding, type Found, type FoundFile, type PackedForms } from './find.ts'
import { Kept } from './kept.ts'
import { nameOf } from './name-of.ts'
import { letGo } from './opened.ts'
import { packedAs, type Representation } from './representation.ts'
import type { StaticSettings } from './settings.ts'

/** Under this size packing does not pay. */
export const packedFromBytes = 1_024

const packBrotli = promisify(brotliCompress)
const packGzip = promisify(gzip)

/** What this process packs itself. */
const packers = {
  br: (content: Buffer, level: number) => packBrotli(content, {
    params: { [constants.BROTLI_PARAM_QUALITY]: level, [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
  }),
  gzip: (content: Buffer, level: number) => packGzip(content, { level: Math.min(level, 9) }),
} as const satisfies Partial<Record<Coding, unknown>>

/** Answers with files. What lies at a path is believed for a second; small files stay in memory, up to `mostBytes`, and are read again when they have changed. */
export function staticFiles (settings: StaticSettings, mostBytes: number): Responder {
  return new StaticFiles(settings, mostBytes)
}

class StaticFiles implements Responder {
  readonly name = ''
  readonly #settings: StaticSettings
  readonly #finder: Finder
  readonly #kept: Kept
  /** Looks that are under way: who asks for the same meanwhile waits for the same. */
  readonly #looking = new Map<string, Promise<Found>>()

  constructor (settings: StaticSettings, mostBytes: number) {
    this.#settings = settings
    this.#finder = new Finder(settings)
    this.#kept = new Kept(mostBytes)
  }

  respond (x: Exchange): MaybePromise<Reply> {
    const { method, path } = x.request
    if (method !== 'GET' && method !== 'HEAD') return refusal(x, new Fault('METHOD_NOT_ALLOWED', method), ['Allow', 'GET, HEAD'])
    const found = this.#kept.fresh(path, performance.now())
    return found === undefined ? this.#look(path).then((now) => this.#answer(x, now)) : this.#answer(x, found)
  }

  #answer (x: Exchange, found: Found): MaybePromise<Reply> {
    switch (found.kind) {
      case 'file': return this.#fileAnswer(x, found)
      case 'folder': return redirectInto(x)
      case 'listing': return listingAnswer(found.content)
      case 'closed': return refusal(x, new Fault('FOLDER_CLOSED'))
      case 'nothing': return refusal(x, new Fault('NOT_FOUND'))
    }
  }

  async #look (path: string): Promise<Found> {
    const name = nameOf(path, this.#settings.dotFiles)
    if (name === undefined) return { kind: 'nothing', bytes: 0 }
    const found = await this.#lookFor(path, () => this.#finder.find(name, this.#kept.last(path)))
    const { fallback } = this.#settings
    if (fallback === undefined || found.kind !== 'nothing' && found.kind !== 'closed') return found
    // No path of a request is empty.
    return this.#kept.fresh('', performance.now()) ?? this.#lookFor('', () => this.#finder.find({ name: fallback, folder: false }, this.#kept.last('')))
  }

  async #lookFor (key: string, look: () => Promise<Found>): Promise<Found> {
    const before = this.#looking.get(key)
    if (before !== undefined) return before
    const begun = performance.now()
    const looking = look()
    this.#looking.set(key, looking)
    try {
      const found = await looking
      if (found.kind === 'nothing' || found.kind === 'closed') this.#kept.remove(key)
      else this.#kept.put(key, found, begun)
      return found
    } finally {
      this.#looking.delete(key)
    }
  }

  #fileAnswer (x: Exchange, file: FoundFile): MaybePromise<Reply> {
    if (!this.#settings.compress || !x.request.headers.has('accept-encoding')) return this.#answerWith(x, file.plain)
    const packed = file.packed ??= this.#packedForms(x.request.path, file)
    return packed.then((forms) => this.#chosen(x, file, forms)).then((chosen) => this.#answerWith(x, chosen))
  }

  #answerWith (x: Exchange, file: Representation): MaybePromise<Reply> {
    const { content } = file
    return content === undefined ? this.#send(x, file) : answerWith(x, file, (parts) => memoryBody(content, parts))
  }

  /** The form of a file that a client gets: one that lies there packed, or that is packed here once and kept. */
  #chosen ({ request: { headers, path } }: Exchange, file: FoundFile, forms: PackedForms): MaybePromise<Representation> {
    const { plain } = file
    // Parts are those of bytes that will be there for the next part as well.
    const packable = plain.content !== undefined && plain.size >= packedFromBytes && !headers.has('range') && this.#finder.isText(plain.type)
    const coding = chosenCoding(headers, codings.filter((one) => isPacked(forms.get(one)) || packable && one in packers))
    if (coding === undefined) return plain
    const ready = forms.get(coding)
    if (ready !== undefined) return ready
    const made = this.#packed(plain, coding as keyof typeof packers, (bytes) => this.#grow(path, file, bytes))
    forms.set(coding, made)
    made.catch(() => forms.delete(coding))
    return made
  }

  async #packedForms (path: string, file: FoundFile): Promise<PackedForms> {
    const forms = await this.#finder.besides(file)
    let bytes = 0
    for (const form of forms.values()) bytes += (await form).content?.length ?? 0
    this.#grow(path, file, bytes - file.packedBytes)
    return forms
  }

  #grow (path: string, file: FoundFile, bytes: number): void {
    file.packedBytes += bytes
    this.#kept.grow(path, file, bytes)
    // As what is sent in place of what is missing.
    this.#kept.grow('', file, bytes)
  }

  async #packed (plain: Representation, coding: keyof typeof packers, took: (bytes: number) => void): Promise<Representation> {
    const { compressionLevel, cacheControl } = this.#settings
    const content = await packers[coding](plain.content!, compressionLevel)
    took(content.length)
    return packedAs(plain, coding, content, cacheControl)
  }

  /** A large file is opened anew: what is said of it is said of the bytes that are sent. */
  async #send (x: Exchange, file: Representation): Promise<Reply> {
    const opened = await this.#finder.open(file.name)
    if (opened === undefined) return refusal(x, new Fault('NOT_FOUND'))
    const { fd } = opened
    const reply = answerWith(x, this.#finder.describe(file.name, opened, undefined, file.coding as FileCoding | undefined), (parts) => new FileBody(fd, parts))
    if (!(reply.body instanceof FileBody)) letGo(fd)
    return reply
  }
}

/** A form that lies there, and not one that was made here. */
function isPacked (form: MaybePromise<Representation> | undefined): boolean {
  return form !== undefined && !(form instanceof Promise) && !form.madeHere
}
