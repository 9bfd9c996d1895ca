import { optional } from '../schema/fields.ts'
import type { Here } from '../schema/read-block.ts'
import { words } from '../schema/values.ts'
import { addressLists, withFiles } from './address-lists.ts'

export const verdict = words(['allow', 'block'], { also: { block: ['deny'] } })

export const addressFilter = {
  defaultAction: optional(verdict, 'What happens to those that no list names: block where there is an `allow` or `allow-file`, else allow.'),
  ...addressLists,
}

export function checkAddresses (value: Parameters<typeof withFiles>[0] & { readonly defaultAction: 'allow' | 'block' | undefined }, here: Here<typeof addressFilter>): void {
  const { allow, block } = withFiles(value, here)
  if (!here.clean) return
  const { report, scope } = here
  const letsIn = allow.length > 0 || here.given('allowFile')
  if (allow.length === 0 && (value.defaultAction === 'block' || here.given('allowFile')) && value.defaultAction !== 'allow') {
    report.warning('CONFIG_NO_EFFECT', `${scope} lets in nobody`, here.at, 'write allow "10.0.0.0/8"')
  } else if (!letsIn && block.length === 0 && !here.given('blockFile')) {
    report.warning('CONFIG_NO_EFFECT', `${scope} keeps out nobody`, here.at, 'write block "192.0.2.0/24"')
  }
}
