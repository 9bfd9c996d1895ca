import { readFileSync } from 'node:fs'
import { ipRange, parseIpRange, type IpRange } from '../schema/address.ts'
import { list, optional } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import { existingFile } from '../schema/values.ts'
import { attempt } from './certificate-pair.ts'

export const addressLists = {
  allow: list(ipRange, [], 'Who may come in.'),
  block: list(ipRange, [], 'Who may not.', { aliases: ['deny'] }),
  allowFile: optional(existingFile, 'File with more of those who may: an address or range on each line, comments behind # or ;. Read anew at each reload.'),
  blockFile: optional(existingFile, 'File with more of those who may not.', { aliases: ['deny-file'] }),
}

interface Lists {
  readonly allow: readonly IpRange[]
  readonly block: readonly IpRange[]
  readonly allowFile: string | undefined
  readonly blockFile: string | undefined
}

type ListsHere = Pick<Here<typeof addressLists>, 'scope' | 'report' | 'where' | 'textOnly'>

/** The lists, with what stands in their files. */
export function withFiles<L extends Lists> (lists: L, here: ListsHere): L {
  const { allow, block, allowFile, blockFile } = lists
  if (here.textOnly) return lists
  return { ...lists, allow: [...allow, ...inFile(allowFile, 'allowFile', here)], block: [...block, ...inFile(blockFile, 'blockFile', here)] }
}

/** What stands in such a file by now; it was looked into at load. */
export function addressesIn (file: string | undefined): IpRange[] {
  if (file === undefined) return []
  return linesOf(readFileSync(file, 'utf8')).flatMap(({ written }) => {
    const range = parseIpRange(written)
    if ('value' in range) return [range.value]
    throw new Error(`${file} has become unusable since it was checked`)
  })
}

function linesOf (text: string): Array<{ readonly line: number, readonly written: string }> {
  return text.split('\n').map((line, i) => ({ line: i + 1, written: line.replace(/[#;].*$/, '').trim() })).filter(({ written }) => written !== '')
}

/** A line that nobody can read would let in, or keep out, others than were meant. */
function inFile (file: string | undefined, name: 'allowFile' | 'blockFile', here: ListsHere): IpRange[] {
  const { report, scope } = here
  if (file === undefined) return []
  const text = attempt(() => readFileSync(file, 'utf8'))
  if (text === undefined) report.error('CONFIG_FILE', `a list of ${scope} cannot be read`, here.where(name))
  const ranges: IpRange[] = []
  let wrong = 0
  for (const { line, written } of linesOf(text ?? '')) {
    const range = parseIpRange(written)
    if ('value' in range) ranges.push(range.value)
    else if (wrong++ < 10) report.error('CONFIG_FILE', `line ${line} of a list of ${scope} is no address or range: "${written.slice(0, 60)}"`, here.where(name))
  }
  return ranges
}
