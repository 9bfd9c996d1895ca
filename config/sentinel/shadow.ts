import { optionalBlock } from '../schema/blocks.ts'
import { required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { bool, integer, ref } from '../schema/values.ts'
import { fieldValue } from './header-edits.ts'
import { percent, someBytes } from './route-types.ts'
import { token } from './types.ts'

const sampleHeader = optionalBlock({
  name: required(token, 'Its name.'),
  value: required(fieldValue, 'The value it must have.'),
}, 'Copy only requests that have this header field.', { args: ['name', 'value'], example: 'sample-header "X-Debug-Shadow" "true"' })

export const shadow = optionalBlock({
  upstream: required(ref('upstream'), 'Who gets the copy.'),
  percentage: setting(percent, 100, 'How many of the requests are copied.'),
  sampleHeader,
  timeout: setting(durationWithin('1ms'), '5s', 'Time for the copy\'s answer, which nobody sees, from sending it to the end.', { aliases: ['timeout-ms', 'timeout-secs'] }),
  bufferBody: setting(bool, true, 'Copy requests that have a body, too, with their body.'),
  maxInFlight: setting(integer(1, 100_000), 100, 'Copies of the route that are under way at a time, in each process; requests that come meanwhile are not copied. Bodies kept for copies take 32MiB at the most, in each process.', { aliases: ['max-concurrent'] }),
  maxBodySize: setting(someBytes, '1MiB', 'Longest body that is copied; requests with a longer one are not.', { aliases: ['max-body-bytes', 'max-body-size-bytes'] }),
}, 'Send a copy of requests elsewhere, without waiting for the answer. It is what the upstream gets, cookies and credentials with it, and carries `X-Shadow-Request: true`; requests that are refused, and WebSockets, are not copied.', {
  aliases: ['mirror'],
  example: `shadow {
    upstream "canary"
    percentage 10
    sample-header "X-Debug-Shadow" "true"
}`,
  build (value, here) {
    if (!value.bufferBody && here.given('maxBodySize')) {
      here.report.warning('CONFIG_NO_EFFECT', `${here.scope} copies no bodies: 'max-body-size' says nothing then`, here.where('maxBodySize'))
    }
    return value
  },
})
