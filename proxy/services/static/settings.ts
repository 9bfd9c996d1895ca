export interface StaticSettings {
  /** Absolute. A link there is followed anew when it leads elsewhere. */
  readonly root: string
  /** Files that stand for a folder, the first that is there. */
  readonly index: readonly string[]
  readonly directoryListing: boolean
  readonly cacheControl: string
  readonly compress: boolean
  /** 1 = fast, 11 = small. */
  readonly compressionLevel: number
  /** "text/html", "text/*". */
  readonly compressionTypes: readonly string[]
  /** File for paths that do not exist, from the root. */
  readonly fallback: string | undefined
  /** By ending, with or without its dot. */
  readonly mimeTypes: Readonly<Record<string, string>>
  /** Names that begin with a dot are served. */
  readonly dotFiles: boolean
  /** Links may lead out of the root. */
  readonly followLinks: boolean
}
