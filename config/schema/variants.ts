import { listed, nearest } from '../kdl/nearest.ts'
import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import { shown } from '../kdl/nodes.ts'
import type { Named, NamedOptions } from './blocks.ts'
import { namedNodes } from './blocks.ts'
import type { Field, Fields, Infer, OlderForms, Place, RowVariants } from './field.ts'
import { kebab, placeInsideNamed, unreadable } from './field.ts'
import { setting } from './fields.ts'
import type { Here } from './read-block.ts'
import { readBlock } from './read-block.ts'
import { anyText } from './values.ts'

export interface Variants<C extends Fields, V extends Readonly<Record<string, Fields>>, N extends string> {
  /** Name of the setting whose word chooses. */
  readonly tag: string
  /** Settings that all have. */
  readonly common: C
  readonly of: V
  /** Words that are not built: their settings are checked, and nobody gets to see them. */
  readonly notBuilt?: readonly N[]
  /** The word that is meant where none is given. */
  readonly implied?: (node: Pick<KdlNode, 'props' | 'children'>) => (keyof V & string) | undefined
  /** Other words for a variant. */
  readonly also?: Readonly<Record<string, string>>
  /** Other shapes of what stands inside, by variant. */
  readonly older?: Readonly<Record<string, OlderForms>>
  /** What each variant is for, and what somebody would write: a whole thing of its kind, with its name. */
  readonly docs?: Readonly<Record<keyof V & string, string>>
  readonly examples?: Readonly<Record<keyof V & string, string>>
  /** What the settings of a variant say of one another. */
  readonly checks?: { readonly [K in keyof V]?: (value: Infer<V[K]>, here: Here<V[K]>) => void }
}

/** A union that the tag tells apart. What is not built has only its name. */
export type VariantOf<C extends Fields, V extends Readonly<Record<string, Fields>>, N extends string> =
  | { readonly [K in Exclude<keyof V & string, N>]: { readonly type: K } & Infer<C> & Infer<V[K]> }[Exclude<keyof V & string, N>]
  | ([N] extends [never] ? never : { readonly type: N })

/** As `named`, for things whose settings depend on their type: `filter "x" { type "agent" … }`. */
export function namedVariants<C extends Fields, const V extends Readonly<Record<string, Fields>>, const N extends keyof V & string = never> (
  kind: string, variants: Variants<C, V, N>, doc: string, options: Pick<NamedOptions<C, unknown>, 'aliases' | 'since' | 'example'> = {},
): Field<readonly (VariantOf<C, V, N> & Named)[]> {
  const tagField = setting(anyText, '', 'Which kind it is.')
  const later = new Set<string>(variants.notBuilt)
  const known = new Map<string, Fields>()
  for (const [word, fields] of Object.entries(variants.of)) known.set(word, { [variants.tag]: tagField, ...variants.common, ...fields })
  const fieldsOf = (word: string): Fields => known.get(word) ?? {}
  return {
    row: {
      ...options, shape: 'blocks', doc, kind, fields: variants.common,
      variants: {
        tag: variants.tag, of: variants.of, notBuilt: [...later], ...variants.implied === undefined ? {} : { implied: variants.implied },
        also: variants.also ?? {}, older: variants.older ?? {}, docs: variants.docs ?? {}, examples: variants.examples ?? {},
      },
    },
    read (given, place) {
      const found: (VariantOf<C, V, N> & Named)[] = []
      for (const { id, at, rest } of namedNodes(given, kind, place, options)) {
        const here = placeInsideNamed(place, at, `${kind} '${id}'`, id, place.names)
        const word = chosen(rest, here, variants)
        if (word === undefined) continue
        const older = variants.older?.[word]
        const options = { ...older === undefined ? {} : { older }, build: checked(variants, word) }
        const members = readBlock<Fields, object, object>(fieldsOf(word), rest, here, options)
        if (members === unreadable) continue
        // The members were read by the fields of the variant that `type` names. What is not built has none that anybody could read.
        found.push({ ...later.has(word) ? {} : members, id: place.report.idOf(place.names, id), at, type: word } as VariantOf<C, V, N> & Named)
      }
      return found
    },
    absent: { value: [] },
  }
}

/** The fields of a variant were read by its declaration: its check takes what they gave. */
function checked<C extends Fields, V extends Readonly<Record<string, Fields>>, N extends string> (variants: Variants<C, V, N>, word: string) {
  const check = variants.checks?.[word] as ((value: object, here: Here<Fields>) => void) | undefined
  return (value: object, here: Here<Fields>): object => {
    check?.(value, here)
    return value
  }
}

type AnyVariants = Omit<Variants<Fields, Readonly<Record<string, Fields>>, string>, 'checks'>

/** The entry that chooses, and the word it chooses, whether it exists or not. */
export function chosenWord (
  node: Pick<KdlNode, 'props' | 'children'>, { tag, also, implied }: Pick<RowVariants, 'tag' | 'also' | 'implied'>,
): { readonly entry: KdlEntry | undefined, readonly word: string } | undefined {
  const name = kebab(tag)
  const entry: KdlEntry | undefined = node.props.find(prop => prop.name === name) ?? node.children?.find(child => child.name === name)?.args[0]
  if (entry === undefined) {
    const word = implied?.(node)
    return word === undefined ? undefined : { entry, word }
  }
  const plain = typeof entry.value === 'string' ? entry.value.toLowerCase().replaceAll('_', '-') : ''
  return { entry, word: Object.hasOwn(also, plain) ? also[plain] ?? plain : plain }
}

function chosen (node: Pick<KdlNode, 'at' | 'props' | 'children'>, place: Place, variants: AnyVariants): string | undefined {
  const tag = kebab(variants.tag)
  const found = chosenWord(node, { ...variants, also: variants.also ?? {} })
  const all = Object.keys(variants.of)
  if (found === undefined) {
    place.report.error('CONFIG_MISSING', `${place.scope} needs '${tag}'`, place.at, `one of: ${listed(all, 20)}`)
    return undefined
  }
  const { entry, word } = found
  if (entry === undefined) return word
  if (variants.notBuilt?.includes(word) === true) {
    place.report.warning('CONFIG_NOT_BUILT', `${place.scope} of type '${word}' is accepted, but not in effect yet`, entry.at)
    return word
  }
  if (Object.hasOwn(variants.of, word)) return word
  place.report.error('CONFIG_TYPE', `'${tag}' must be one of ${listed(all, 20)}, found ${shown(entry)}`, entry.at, variantHint(entry, all))
  return undefined
}

function variantHint (entry: KdlEntry, all: readonly string[]): string | undefined {
  const near = typeof entry.value === 'string' && entry.written === undefined ? nearest(entry.value, all) : undefined
  return near === undefined ? undefined : `did you mean "${near}"?`
}
