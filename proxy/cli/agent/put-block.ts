import { existsSync, readFileSync } from 'node:fs'
import { checkText, printProblems } from '../../../config/sentinel/index.ts'
import { insertIntoBlock } from '../../../config/kdl/insert.ts'
import type { Shell } from '../command.ts'
import { replaceFile } from '../fmt-files.ts'
import type { AgentBlock } from './agent-block.ts'

export interface PutWhere {
  readonly file: string
  readonly name: string
  readonly block: AgentBlock
}

/** Adds an agent to a configuration, or says why not and leaves it as it is. Resolves with the exit code. */
export async function putBlock (shell: Shell, { file, name, block }: PutWhere): Promise<number> {
  const say = (why: string): number => {
    shell.err(`sentinel agent install: ${why}\n`)
    return 1
  }
  if (!existsSync(file)) return say(`${file} does not exist.`)
  if (block.missing.length > 0) return say(`${name} needs ${block.missing.join(', ')}: give it with --config ${block.missing[0]!}=VALUE. ${file} is as it was.`)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    return say(`${file} cannot be read: ${(error as Error).message}`)
  }
  const before = checkText(text, file, { env: shell.env })
  // What is not KDL has no place for it. Other mistakes may be that a route names the agent already: they are judged with it.
  const broken = before.problems.filter(({ severity, code }) => severity === 'error' && (code === 'CONFIG_SYNTAX' || code === 'CONFIG_UNREADABLE'))
  if (broken.length > 0) return sayProblems(shell, before, `${file} has errors already, and is as it was.`)
  if (before.config?.agents.some(({ id }) => id === name) === true) return say(`${file} has an agent '${name}' already, and is as it was.`)
  const next = insertIntoBlock(text, 'agents', block.text)
  const after = checkText(next, file, { env: shell.env })
  if (after.config === undefined) {
    const isPart = after.problems.some(({ code, message }) => code === 'CONFIG_MISSING' && message === 'there is no listener')
    return sayProblems(shell, after, `with the agent ${file} would not load; it is as it was.${isPart ? ' Where another file includes it, name that one.' : ''}`)
  }
  try {
    await replaceFile(file, next)
  } catch (error) {
    return say(`${file} cannot be written: ${(error as Error).message}`)
  }
  const isEverywhere = after.problems.some(({ code, message }) => code === 'CONFIG_DEFAULTED' && message.includes(`'${name}'`))
  shell.out(`${file}: agent '${name}' is added, and the file loads.\n` +
    (isEverywhere ? `It guards every route until one names it: filters "${name}"\n` : '') +
    `A running proxy takes it over with: sentinel reload -c ${file}\n`)
  return 0
}

function sayProblems (shell: Shell, { problems, sources }: ReturnType<typeof checkText>, sentence: string): number {
  const errors = problems.filter(({ severity }) => severity === 'error')
  shell.err(`${printProblems(errors, sources, { colour: shell.colour })}sentinel agent install: ${sentence}\n`)
  return 1
}
