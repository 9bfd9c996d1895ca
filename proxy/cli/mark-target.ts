import { askRunning, errorOf } from './ask-running.ts'
import type { OptionValues, Shell } from './command.ts'

interface Mark {
  readonly command: 'drain' | 'undrain'
  /** Ends the sentence "10.0.0.1:8080 …". */
  readonly said: string
}

/** What `drain` and `undrain` have in common. */
export async function markTarget ({ command, said }: Mark, shell: Shell, options: OptionValues, args: readonly string[]): Promise<number> {
  const [upstream, target, ...more] = args
  if (upstream === undefined || target === undefined || more.length > 0) {
    shell.err(`sentinel ${command}: exactly two names are needed, UPSTREAM and TARGET, as sentinel status shows them.\nTry: sentinel ${command} --help\n`)
    return 2
  }
  const answer = await askRunning(command, shell, options, { method: 'POST', path: `/${command}`, body: { upstream, target } })
  if (answer === undefined) return 2
  if (answer.status === 200) shell.out(`${target} of upstream '${upstream}' ${said}\n`)
  else shell.err(`sentinel ${command}: ${errorOf(answer)}\n`)
  return answer.status === 200 ? 0 : 2
}
