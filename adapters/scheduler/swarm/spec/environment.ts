import { refused } from './draft.ts'

/**
 * Swarm fills in Go templates in every environment value on the node, and a value that is no template
 * of its own makes the task fail there. A task's values are data: each `{{` becomes an action that
 * prints `{{` (swarmkit template/expand.go; arguments are not expanded).
 */
export function environmentOf(environment: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(environment).map(([name, value]) => {
    if (name === '' || name.includes('=')) {
      throw refused('environment', `'${name}' cannot be the name of an environment value`)
    }
    return `${noNul('environment', name)}=${literal(noNul('environment', value))}`
  })
}

export function noNul(key: string, value: string): string {
  if (value.includes('\0')) throw refused(key, 'a value holds a NUL byte')
  return value
}

function literal(value: string): string {
  return value.replaceAll('{{', '{{"{{"}}')
}
