import { durationWithin, integer, json, list, optional, section, setting, sizeWithin, text, textLike, type Infer } from 'sentinel/sdk'

const hostAndPort = textLike('a host and a port', /^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}$/, '"api.example.com:443"')
const variable = textLike('the name of a variable', /^[A-Za-z_][A-Za-z0-9_]*$/, '"TENANT"')

export const settings = {
  script: section({
    file: optional(text, 'The script. The proxy writes here what `script` of the agent says.'),
    digest: optional(text, 'Of its content, so that a reload sees another one.'),
  }, 'What is run.'),
  timeout: setting(durationWithin('1ms', '60s'), '500ms', 'Time for one call. A worker that needs more is ended, and the call is an error.'),
  memory: setting(sizeWithin('16MiB', '4GiB'), '64MiB', 'Memory of one worker beside what the engine needs itself: its heap, and about the same again outside of it.'),
  workers: setting(integer(1, 64), 2, 'Processes that run the script, each one call at a time.'),
  queue: setting(integer(0, 100_000), 1000, 'Calls that wait for a worker. One more is an error at once.'),
  allow: section({
    read: list(text, [], 'Files, and folders with all that is in them, that `readFile` gives.'),
    net: list(hostAndPort, [], 'Hosts with their ports that `fetch` speaks to.'),
    env: list(variable, [], 'Variables of the agent\'s environment (its `env` block) that stand in `env`.'),
  }, 'What the script may use. Nothing else: no file, no network, no variable.'),
  settings: json('Settings of the script itself, which it reads as `config`.'),
} as const

export type Settings = Infer<typeof settings>
