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

/** A line that nobody can read would let in, or keep out, others than were meant. */
function inFile (file: string | undefined, name: 'allowFile' | 'blockFile', here: ListsHere): IpRange[] {
  const { report, scope } = here
  if (file === undefined) return []
  const text = attempt(() => readFileSync(file, 'utf8'))
  if (text === undefined) report.error('CONFIG_FILE', `a list of ${scope} cannot be read`, here.where(name))
  const ranges: IpRange[] = []
  let wrong = 0
  for (const [i, line] of (text ?? '').split('\n').entries()) {
    const written = line.replace(/[#;].*$/, '').trim()
    if (written === '') continue
    const range = parseIpRange(written)
    if ('value' in range) ranges.push(range.value)
    else if (wrong++ < 10) report.error('CONFIG_FILE', `line ${i + 1} of a list of ${scope} is no address or range: "${written.slice(0, 60)}"`, here.where(name))
  }
  return ranges
}
