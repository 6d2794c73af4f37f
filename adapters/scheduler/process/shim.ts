import { spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import type { ProcessPlan } from './plan.ts'

/**
 * The shim: a detached `sh`, leader of a session and of a process group of its own, in which the
 * program runs in the foreground. It outlives the daemon, and every step of it is a builtin of `sh`:
 * nothing is forked but the program. What its files mean stands in unit-folder.ts.
 *
 * - The traps come first: from the claim on, the group's stop signal must not end the shim. `:` and not
 *   '' because an ignored signal would stay ignored in the program.
 * - The claim is an exclusive creation (`set -C`) that leaves the shim's own /proc/self/stat behind, and
 *   why no program will follow where that is known: nobody must take such a unit for a running one.
 * - Commands with redirections are no special builtins: a failed redirection of one of those ends dash.
 * - The command is resolved to a path, because `exit` or `trap` would otherwise be the shell's own, and
 *   so that a missing one is not taken for a program's own 127. What the kernel then refuses
 *   (interpreter missing, wrong format, noexec) makes `exec` fail, which runs the trap; bash runs none
 *   there, so under bash such a command has failed with 126 or 127, and its log says why.
 * - A stop before this point finds the shim alone, so it looks for one. A signal that falls between that
 *   look and the fork is missed: then the grace ends the program.
 * - `umask` and the three variables that shells export unasked are put right for the program only.
 * - The code is in the file's name: an empty file needs no block of a full disk, and is there whole or
 *   not at all. Should even that fail, the shim waits for room: the unit is then still running.
 * - Last, it kills what the program left behind in its group, as the end of a container would, and
 *   itself with it.
 */
const SCRIPT = `
for lh__ in 1 2 3 6 10 12 13 14 15 "$1"; do trap : "$lh__" 2>/dev/null; done
umask 077
set -C -f
lh__boot=$2 lh__unit=$3 lh__hint=../.hints/$4 lh__umask=$5 lh__work=$6 lh__odd=$7 lh__command=$8
shift 8
lh__end() {
  until { true >|"exit.$1"; } 2>/dev/null || ! [ -e spec ]; do
    PATH=/usr/bin:/bin
    sleep 1 || exit
  done
  { true >|"$lh__hint"; } 2>/dev/null
  kill -9 0
}
IFS= read -r lh__stat <"/proc/$$/stat" || exit
lh__fails=missing lh__path=
lh__look() {
  case $1 in /*) lh__at=$1 ;; *) lh__at=$lh__work/$1 ;; esac
  [ -f "$lh__at" ] || return 1
  lh__fails=not-executable
  [ -x "$lh__at" ] && lh__path=$1
}
case $lh__command in
*/*) lh__look "$lh__command" ;;
*)
  lh__ifs=$IFS IFS=:
  for lh__dir in $PATH; do
    lh__look "\${lh__dir:-.}/$lh__command" && break
  done
  IFS=$lh__ifs
  ;;
esac
[ "$lh__path" ] && lh__fails=
[ -d "$lh__work" ] || lh__fails=no-directory
{ echo "$lh__boot\${lh__fails:+ $lh__fails} $lh__stat" >started; } 2>/dev/null || exit
[ "$lh__fails" ] && lh__end "$lh__fails"
{ true >|"$lh__hint"; } 2>/dev/null
if [ -e stopping ]; then
  { true >|"$lh__hint"; } 2>/dev/null
  kill -9 0
fi
(
  umask "$lh__umask"
  trap 'true >|"$lh__unit/refused"' 0
  cd "$lh__work" || exit 126
  unset PWD OLDPWD SHLVL
  if [ "$lh__odd" ]; then exec env -- "$@"; else exec "$lh__path" "$@"; fi
) >>log 2>&1
lh__end $?
`

/** What a shim is known by before it has left its pid: nobody else's command line holds it. */
export const SHIM_MARK = 'lh__boot=$2 lh__unit=$3'

/** Names that `sh` keeps, sets or acts upon itself: such a variable is set by env(1) after it. */
const SHELLS_OWN =
  /^(PWD|OLDPWD|SHLVL|_|IFS|PS4|OPTIND|OPTARG|OPTERR|LINENO|PPID|E?UID|GROUPS|ENV|BASH.*|SHELLOPTS|POSIXLY_CORRECT|RANDOM|SECONDS|LD_.*|GLIBC_.*|MALLOC_.*|lh__.*)$/

export interface ShimOptions {
  /** The shell, and whatever stands before its options. */
  readonly shell: string
  readonly boot: string
  /** The unit's folder, absolute. */
  readonly folder: string
  readonly name: string
  readonly umask: string
}

/** What the shim is spawned with: a pure mapping. Nothing of the daemon's goes along. */
export function shimCommand(
  plan: ProcessPlan,
  { shell, boot, folder, name, umask }: ShimOptions,
): { readonly file: string; readonly args: readonly string[]; readonly options: SpawnOptions } {
  const odd: string[] = []
  const environment: Record<string, string> = {}
  for (const [key, value] of Object.entries(plan.environment))
    if (/^[A-Za-z_]\w*$/.test(key) && !SHELLS_OWN.test(key)) environment[key] = value
    else odd.push(`${key}=${value}`)
  const [command, ...rest] = plan.argv
  const fixed = [
    String(plan.stopSignal),
    boot,
    folder,
    name,
    umask,
    plan.workingDir ?? `${folder}/work`,
    odd.length > 0 ? 'odd' : '',
    command,
  ]
  const run = odd.length > 0 ? [...odd, command, ...rest] : rest
  return {
    file: shell,
    args: ['-c', SCRIPT, 'sh', ...fixed, ...run],
    options: { argv0: 'sh', cwd: folder, env: environment, detached: true, stdio: 'ignore' },
  }
}

/**
 * Spawns it; resolves once it is there. Rejects with the system's own error (`E2BIG`, `EAGAIN` …) where
 * it is not: then nothing was started.
 */
export async function spawnShim(plan: ProcessPlan, options: ShimOptions): Promise<ChildProcess> {
  const { file, args, options: spawnOptions } = shimCommand(plan, options)
  const child = spawn(file, args, spawnOptions)
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  child.unref()
  return child
}
