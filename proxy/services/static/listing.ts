import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'

/** More than a person reads; a folder may hold millions. */
const mostEntries = 2_000
const atATime = 32

interface Row {
  readonly name: string
  readonly folder: boolean
  readonly size: number
  readonly modified: Date | undefined
}

/** A page with what a folder holds. Names are those of files: whoever may write files could write HTML into them. */
export async function listing (folder: string, name: string, dotFiles: boolean): Promise<Buffer> {
  const names: string[] = []
  let more = false
  for await (const { name: entry } of await opendir(folder)) {
    if (entry.startsWith('.') && !dotFiles) continue
    more = names.length === mostEntries
    if (more) break
    names.push(entry)
  }
  const rows: Row[] = []
  for (let i = 0; i < names.length; i += atATime) rows.push(...await Promise.all(names.slice(i, i + atATime).map((entry) => rowOf(folder, entry))))
  rows.sort((a, b) => Number(b.folder) - Number(a.folder) || (a.name < b.name ? -1 : 1))
  return Buffer.from(page(`/${name}`, name !== '', rows, more))
}

async function rowOf (folder: string, name: string): Promise<Row> {
  try {
    const stats = await lstat(join(folder, name))
    return { name, folder: stats.isDirectory(), size: stats.size, modified: stats.mtime }
  } catch {
    return { name, folder: false, size: 0, modified: undefined }
  }
}

function page (title: string, below: boolean, rows: readonly Row[], more: boolean): string {
  const lines = rows.map(({ name, folder, size, modified }) => {
    const slash = folder ? '/' : ''
    // Without "./" a colon in a name would make a scheme of what is before it.
    return `<tr><td><a href="./${encodeURIComponent(name)}${slash}">${escaped(name)}${slash}</a><td>${folder ? '' : size}<td>${modified?.toISOString().slice(0, 16).replace('T', ' ') ?? ''}`
  })
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:2rem}td{padding:0 1rem 0 0}td+td{opacity:.7;text-align:right}</style>
<h1>${escaped(title)}</h1>
<table>
${below ? '<tr><td><a href="../">../</a><td><td>\n' : ''}${lines.join('\n')}
</table>${more ? `\n<p>Only ${mostEntries} are shown.</p>` : ''}
</html>
`
}

function escaped (text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}
