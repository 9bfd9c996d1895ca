import { isIP } from 'node:net'

/** Addresses that a hosts(5) file has for a name. */
export function addressesIn (text: string, name: string): string[] {
  const wanted = name.toLowerCase().replace(/\.$/, '')
  const found = text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/)
    return names.includes(wanted) && isIP(address) !== 0 ? [address] : []
  })
  return [...new Set(found)]
}
