import { words } from '../schema/values.ts'

/** What it means when nobody decides: closed = refuse, open = go on. */
export const failureMode = words(['closed', 'open'], { also: { closed: ['fail-closed', 'block'], open: ['fail-open', 'allow'] } })
