import { optionalBlock } from '../schema/blocks.ts'
import { list, map, required, setting } from '../schema/fields.ts'
import type { ValueType } from '../schema/value.ts'
import { bool, existingFolder, integer, text, textLike } from '../schema/values.ts'
import { fieldValue } from './header-edits.ts'

export const mediaType = textLike('a media type', /^[\w!#$&^.+-]+\/[\w!#$&^.+*-]+(?:\s*;.*)?$/, '"text/html"')

/** Old files begin it with "/", which means the root of the files, not that of the machine. */
const fileBelow: ValueType<string> = {
  ...text,
  expected: 'the path of a file below the root',
  example: '"index.html"',
  parse (raw, context) {
    const result = text.parse(raw, context)
    if ('wrong' in result) return result
    const value = result.value.replace(/^\/+/, '')
    if (value === '') return { wrong: 'it names no file' }
    return value.split(/[/\\]/).includes('..') ? { wrong: 'it leads out of the root' } : { value }
  },
}

export const staticFiles = optionalBlock({
  root: required(existingFolder, 'Folder with the files; the whole path of the request is looked up in it. What changes there is seen within a second.'),
  index: list(fileBelow, ['index.html', 'index.htm'], 'Files that stand for a folder, the first that is there.'),
  directoryListing: setting(bool, false, 'Show what a folder without such a file holds.'),
  cacheControl: setting(fieldValue, 'public, max-age=3600', '`Cache-Control` of the answers.'),
  compress: setting(bool, true, 'Compress texts of at least 1 KiB for clients that take it. A file of the same name with `.br`, `.zst` or `.gz` behind it is sent in place of compressing, unless it is older.', { aliases: ['compression'] }),
  compressionLevel: setting(integer(1, 11), 6, 'How hard: 1 = fast, 9 = small; up to 11 for brotli. Files of up to 256 KiB are compressed once and kept.'),
  compressionTypes: list(mediaType, ['text/*', 'application/javascript', 'application/json', 'application/xml', 'image/svg+xml'], 'Media types that are compressed.'),
  fallback: list(fileBelow, [], 'File for paths that do not exist: what an application in the browser needs.', { aliases: ['spa-fallback'] }),
  dotFiles: setting(bool, false, 'Serve names that begin with a dot, too; `.well-known` is always served.'),
  followLinks: setting(bool, false, 'Serve what links lead to outside of the root.', { aliases: ['follow-symlinks', 'symlinks'] }),
  mimeTypes: map(mediaType, 'Media types by ending, before those that are known: `.wasm "application/wasm"`.'),
}, 'Serve a folder of files.', {
  example: `static-files {
    root "/var/www/html"
    fallback "index.html"      // for applications in the browser
    cache-control "public, max-age=86400"
}`,
  build (value, here) {
    const { fallback: [fallback, ...more], ...files } = value
    if (more.length > 0) here.report.error('CONFIG_EXTRA', `'fallback' of ${here.scope} takes one file`, here.where('fallback'))
    if (!value.compress && (here.given('compressionLevel') || here.given('compressionTypes'))) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} says how to compress, and not to`, here.where('compress'))
    }
    return { ...files, fallback }
  },
})
