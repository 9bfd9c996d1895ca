import { block } from '../schema/blocks.ts'
import { setting } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import { oneOf } from '../schema/values.ts'
import { checkEdits, headerEdits, olderHeaderEdits } from './header-edits.ts'

const onlyFor = (what: string, name: string) => block(headerEdits, `Changes of ${what} alone, whatever the phase is.`, {
  older: olderHeaderEdits, build: checkEdits, example: `${name} { remove "Server" }`,
})

/** Changes are made in this order: rename, set, add, remove. */
export const headersFilter = {
  phase: setting(oneOf('request', 'response', 'both'), 'request', 'What is changed: requests, answers or both.'),
  ...headerEdits,
  request: onlyFor('requests', 'request'),
  response: onlyFor('answers', 'response'),
}

export const olderHeaders = olderHeaderEdits

export function checkHeaders (value: Parameters<typeof checkEdits>[0], here: Here<typeof headersFilter>): void {
  const names = ['rename', 'set', 'add', 'remove', 'request', 'response'] as const
  if (here.clean && names.every(name => !here.given(name))) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} changes nothing`, here.at, 'write set { Name "value" }')
  checkEdits(value, here)
}
