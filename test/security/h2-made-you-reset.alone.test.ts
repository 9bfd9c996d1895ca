import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['made-you-reset-window', 'ENHANCE_YOUR_CALM'],
  ['made-you-reset-overflow', 'ENHANCE_YOUR_CALM'],
  ['made-you-reset-data', 'ENHANCE_YOUR_CALM'],
  ['made-you-reset-head', 'ENHANCE_YOUR_CALM'],
  ['made-you-reset-malformed', 'ENHANCE_YOUR_CALM'],
  ['made-you-reset-length', 'ENHANCE_YOUR_CALM'],
  ['made-you-reset-priority', 'ENHANCE_YOUR_CALM'],
]

test('frames that make the proxy reset streams count as resets', (t) => withstands(t, attacks))
