import type { MaybePromise } from '../../pipeline/body.ts'
import type { Coding } from '../../pipeline/content-coding.ts'
import { listing } from './listing.ts'
import { mediaTypes } from './media-type.ts'
import type { FileName } from './name-of.ts'
import { letGo, Root, type Opened } from './opened.ts'
import { contentOf, isUnchanged, representationOf, smallBytes, type Representation } from './representation.ts'
import type { StaticSettings } from './settings.ts'

/** What is at a path. */
export type Found = FoundFile | { readonly kind: 'listing', readonly content: Buffer, readonly bytes: number } | { readonly kind: 'folder' | 'closed' | 'nothing', readonly bytes: 0 }

export interface FoundFile {
  readonly kind: 'file'
  readonly plain: Representation
  /** Packed forms by their coding; `undefined` until a client that takes some has asked. */
  packed: Promise<PackedForms> | undefined
  /** What was packed of these very bytes before somebody looked whether they are still the same. */
  readonly packedBefore: Promise<PackedForms> | undefined
  /** Memory that those take. */
  packedBytes: number
  /** Memory that it takes with them, when it was found. */
  readonly bytes: number
}

export type PackedForms = Map<Coding, MaybePromise<Representation>>

/** Ending of the file beside a file that holds it packed, the best first. */
const endings = { br: '.br', zstd: '.zst', gzip: '.gz' } as const satisfies Partial<Record<Coding, string>>
export type FileCoding = keyof typeof endings
export const codings = Object.keys(endings) as FileCoding[]

/** Looks for files below a root. */
export class Finder {
  readonly #settings: StaticSettings
  readonly #root: Root
  readonly #typeOf: (name: string) => string
  readonly isText: (type: string) => boolean

  constructor (settings: StaticSettings) {
    this.#settings = settings
    this.#root = new Root(settings.root, settings)
    this.#typeOf = mediaTypes(settings.mimeTypes)
    this.isText = typeMatcher(settings.compressionTypes)
  }

  /** `last`: what was found there before. */
  async find ({ name, folder }: FileName, last: Found | undefined): Promise<Found> {
    const opened = await this.#root.open(name)
    if (opened === undefined) return { kind: 'nothing', bytes: 0 }
    if (opened.stats.isFile()) {
      if (!folder) return this.#file(name, opened, last)
      letGo(opened.fd)
      return { kind: 'nothing', bytes: 0 }
    }
    letGo(opened.fd)
    return folder || name === '' ? this.#folder(name, last) : { kind: 'folder', bytes: 0 }
  }

  /** A file and its facts as they are now, for a body that is read while it is sent; `undefined` when it is not there any more. */
  async open (name: string): Promise<Opened | undefined> {
    const opened = await this.#root.open(name)
    if (opened === undefined || opened.stats.isFile()) return opened
    letGo(opened.fd)
    return undefined
  }

  describe (name: string, { stats }: Opened, content: Buffer | undefined, coding?: FileCoding): Representation {
    const type = this.#typeOf(coding === undefined ? name : name.slice(0, -endings[coding].length))
    const { cacheControl, compress } = this.#settings
    return representationOf({ name, stats, content, type, coding, cacheControl, varies: coding !== undefined || compress && this.isText(type) })
  }

  /** Packed forms that lie beside a file and are not older than it. */
  async besides ({ plain, packedBefore }: FoundFile): Promise<PackedForms> {
    const before = await packedBefore ?? new Map<Coding, MaybePromise<Representation>>()
    const found = await Promise.all(codings.map(async (coding) => {
      const last = await before.get(coding)
      const name = plain.name + endings[coding]
      const opened = await this.open(name)
      if (opened === undefined) return []
      const { mtimeMs, size } = opened.stats
      const usable = Math.floor(mtimeMs / 1_000) >= Math.floor(plain.stats.mtimeMs / 1_000) && size < plain.size
      if (!usable) {
        letGo(opened.fd)
        return []
      }
      return [[coding, await this.#read(name, opened, last, coding)] as const]
    }))
    const forms = new Map<Coding, MaybePromise<Representation>>(found.flat())
    for (const [coding, form] of before) if (!forms.has(coding) && (await form).madeHere) forms.set(coding, form)
    return forms
  }

  async #folder (name: string, last: Found | undefined): Promise<Found> {
    const at = name === '' ? '' : `${name}/`
    for (const index of this.#settings.index) {
      const opened = await this.#root.open(at + index)
      if (opened?.stats.isFile() === true) return this.#file(at + index, opened, last)
      if (opened !== undefined) letGo(opened.fd)
    }
    if (!this.#settings.directoryListing) return { kind: 'closed', bytes: 0 }
    const content = await listing(`${this.#settings.root}/${name}`, name, this.#settings.dotFiles)
    return { kind: 'listing', content, bytes: content.length }
  }

  async #file (name: string, opened: Opened, last: Found | undefined): Promise<FoundFile> {
    const old = last?.kind === 'file' ? last : undefined
    const plain = await this.#read(name, opened, old?.plain)
    const own = plain.content?.length ?? 0
    if (old === undefined || plain !== old.plain) return { kind: 'file', plain, packed: undefined, packedBefore: undefined, packedBytes: 0, bytes: own }
    const { packedBytes } = old
    return { kind: 'file', plain, packed: undefined, packedBefore: old.packed ?? old.packedBefore, packedBytes, bytes: own + packedBytes }
  }

  async #read (name: string, opened: Opened, last: Representation | undefined, coding?: FileCoding): Promise<Representation> {
    const { fd, stats } = opened
    try {
      if (last?.name === name && isUnchanged(last, stats)) return last
      return this.describe(name, opened, stats.size <= smallBytes ? await contentOf(fd, stats.size) : undefined, coding)
    } finally {
      letGo(fd)
    }
  }
}

function typeMatcher (types: readonly string[]): (type: string) => boolean {
  const exact = new Set(types.map((type) => type.toLowerCase()))
  return (field) => {
    const type = field.split(';', 1)[0]!.trim().toLowerCase()
    return exact.has(type) || exact.has(`${type.split('/', 1)[0]}/*`)
  }
}
