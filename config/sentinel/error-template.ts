import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { nearest } from '../kdl/nearest.ts'

/** What a template may name in `{{ }}`. */
export const pageVariables = ['status', 'title', 'message', 'request_id', 'time', 'method', 'host', 'path', 'retry_after', 'detail'] as const
export type PageVariable = typeof pageVariables[number]

export const pageFormats = ['json', 'html', 'text', 'xml'] as const
export type PageFormat = typeof pageFormats[number]

/** A template that was read and names nothing unknown. */
export interface PageTemplate {
  readonly format: PageFormat
  readonly text: string
}

/** One of a folder: for one status, or for all that begin with its digit. */
export interface FolderTemplate extends PageTemplate {
  readonly status: string
}

const byEnding: Readonly<Record<string, PageFormat>> = { '.html': 'html', '.htm': 'html', '.json': 'json', '.txt': 'text', '.xml': 'xml' }
const longestTemplate = 256 * 1024

/** Reads a template, or says what is wrong with it. Without `format` the ending of the file says it. */
export function readTemplate (file: string, format?: PageFormat): PageTemplate | { readonly wrong: string, readonly hint?: string } {
  let text: string
  try {
    if (statSync(file).size > longestTemplate) return { wrong: `it is longer than ${longestTemplate} bytes` }
    text = readFileSync(file, 'utf8')
  } catch (error) {
    return { wrong: `it cannot be read (${String((error as NodeJS.ErrnoException).code)})` } // Errors of the file system have one.
  }
  for (const match of text.matchAll(/\{\{(.*?)\}\}/g)) {
    const name = match[1]!.trim()
    if ((pageVariables as readonly string[]).includes(name)) continue
    const near = nearest(name, pageVariables)
    const line = text.slice(0, match.index).split('\n').length
    return { wrong: `line ${line} names {{${name.slice(0, 40)}}}`, hint: near === undefined ? `there are ${pageVariables.join(', ')}` : `did you mean {{${near}}}?` }
  }
  return { format: format ?? byEnding[extname(file).toLowerCase()] ?? 'html', text }
}

/** Templates of a folder by their names: `404.html`, `5xx.json`. Other files are left alone. */
export function readTemplates (folder: string): { readonly templates: readonly FolderTemplate[], readonly wrong?: string, readonly hint?: string } {
  const templates: FolderTemplate[] = []
  for (const name of readdirSync(folder).toSorted()) {
    const status = /^([45](?:\d\d|xx))\.(?:html?|json|txt|xml)$/.exec(name)?.[1]
    if (status === undefined) continue
    const template = readTemplate(join(folder, name))
    if ('wrong' in template) return { templates, ...template, wrong: `${name}: ${template.wrong}` }
    templates.push({ ...template, status })
  }
  return { templates }
}
