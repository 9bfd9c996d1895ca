import type { Location, TextEdit } from 'vscode-languageserver'
import type { TextDocument } from 'vscode-languageserver-textdocument'
import type { Analysis, Mention } from './analysis.ts'
import { definitions, mentions, thingAt } from './analysis.ts'
import { cursorAt } from './cursor.ts'
import { rangeOf } from './places.ts'
import type { Span } from './word.ts'

export function definitionAt (analysis: Analysis, document: TextDocument, offset: number): Location | undefined {
  const thing = thingAt(analysis.names(), offset)
  const found = thing === undefined ? undefined : definitions(analysis.names()).find(same(thing))
  return found === undefined ? undefined : { uri: document.uri, range: rangeOf(document, found.span) }
}

export function referencesAt (analysis: Analysis, document: TextDocument, offset: number, withDefinition: boolean): Location[] {
  return places(analysis, offset, withDefinition).map(({ span }) => ({ uri: document.uri, range: rangeOf(document, span) }))
}

/** Every place where the thing at the offset is named, in the order of the text. */
function places (analysis: Analysis, offset: number, withDefinition: boolean): Mention[] {
  const names = analysis.names()
  const thing = thingAt(names, offset)
  if (thing === undefined) return []
  const found = [...withDefinition ? definitions(names) : [], ...mentions(names)].filter(same(thing))
  return found.toSorted((a, b) => a.span.from - b.span.from)
}

function same (thing: Mention): (other: Mention) => boolean {
  return ({ kind, name }) => kind === thing.kind && name === thing.name
}

/** The word to be renamed, without its quotes; `undefined` where nothing has a name. */
export function renameableAt (analysis: Analysis, offset: number): Span | undefined {
  const thing = thingAt(analysis.names(), offset)
  return thing === undefined ? undefined : partOf(analysis, thing)
}

/** A name that cannot be given, with the reason. */
export class BadName extends Error {}

/** Throws `BadName`. */
export function renameAt (analysis: Analysis, document: TextDocument, offset: number, newName: string): TextEdit[] {
  const thing = thingAt(analysis.names(), offset)
  if (thing === undefined) return []
  if (!/^[^\s\p{Cc}"\\:][^\p{Cc}"\\:]{0,127}$/u.test(newName) || newName.endsWith(' ')) {
    throw new BadName('a name is a text of at most 128 characters without quotes, backslashes and colons')
  }
  const own = thing.name.slice(0, thing.name.length - thing.name.slice(thing.name.lastIndexOf(':') + 1).length)
  if (definitions(analysis.names()).some(({ kind, name }) => kind === thing.kind && name === own + newName && name !== thing.name)) {
    throw new BadName(`there is another ${thing.kind} named '${newName}'`)
  }
  return places(analysis, offset, true).flatMap(place => {
    const part = partOf(analysis, place)
    if (part === undefined) return []
    const bare = analysis.text[place.span.from] !== '"' && analysis.text[place.span.from] !== '#' && part.from === place.span.from
    const plain = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(newName)
    return [{ range: rangeOf(document, part), newText: bare && !plain ? JSON.stringify(newName) : newName }]
  })
}

/** Where in its word the thing's own name stands: behind the namespaces, in a list the one that is meant. */
function partOf (analysis: Analysis, { span, id, name }: Mention): Span | undefined {
  const { word } = cursorAt(analysis.tree, span.from)
  if (word === undefined) return undefined
  const own = name.slice(name.lastIndexOf(':') + 1)
  const written = analysis.text.slice(word.inner.from, word.inner.to)
  const at = written.indexOf(id)
  // With an escape or a variable in it, it cannot be told which part is the name.
  if (at < 0 || !id.endsWith(own)) return undefined
  const to = word.inner.from + at + id.length
  return { from: to - own.length, to }
}
