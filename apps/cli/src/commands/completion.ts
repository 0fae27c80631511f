/**
 * Completion for shells, made from the commands as they are declared. Names of workspaces are asked of the ledger; they come
 * from whoever created them, so no shell ever expands them: they are read line by line, and quoted before they are offered.
 */
import type { WorkspaceView } from '@vw/contracts';
import { Argument, type Command } from 'commander';
import type { Perform, Session } from '../session.js';

/** What the shell calls to learn the workspaces that may be meant. */
const NAMES_COMMAND = '__names';

export function addCompletionCommands(program: Command, perform: Perform): void {
  program
    .command('completion')
    .summary('print the completion script of a shell')
    .description(
      'Prints a completion script. Bash: source <(vw completion bash). Zsh: source <(vw completion zsh), after compinit.',
    )
    .addArgument(new Argument('<shell>', 'whose script').choices(['bash', 'zsh']))
    .action(
      perform(async ({ output }, _options: object, shell: string) => {
        await output.verbatim(shell === 'bash' ? bashScript(program) : zshScript(program));
      }),
    );
  program.command(NAMES_COMMAND, { hidden: true }).action(perform(names));
}

async function names({ client, output }: Session): Promise<void> {
  const { items } = await client.page<WorkspaceView>('v1/workspaces', { limit: 100 });
  const offered = items
    .filter(({ definition }) => definition === 'active')
    .flatMap(({ name, workspaceId }) => [name, workspaceId]);
  await output.verbatim([...new Set(offered)].map((name) => `${name}\n`).join(''));
}

interface Known {
  readonly name: string;
  readonly summary: string;
  readonly words: readonly string[];
  readonly takesWorkspace: boolean;
}

/** An application of its own, which `vw` starts in place of this one. */
const store: Known = {
  name: 'store',
  summary: 'look after event stores',
  words: ['serve', 'info', 'verify', 'backup', 'export', 'import', 'compact', '--help'],
  takesWorkspace: false,
};

function known(program: Command): Known[] {
  const own = program.commands
    .filter((command) => command.name() !== NAMES_COMMAND)
    .flatMap((command) =>
      [command.name(), ...command.aliases()].map((name) => ({
        name,
        summary: command.summary(),
        words: wordsOf(command),
        takesWorkspace: command.registeredArguments[0]?.name() === 'id',
      })),
    );
  return [...own, store];
}

/** Subcommands, choices and long options. */
function wordsOf(command: Command): string[] {
  return [
    ...command.commands.map((subcommand) => subcommand.name()),
    ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    ...[command, ...command.commands].flatMap(({ options }) => options.map(({ long }) => long ?? '')),
    '--help',
  ];
}

/** Global options that are followed by a value, which is no command. */
function valued(program: Command): string {
  return program.options.flatMap(({ required, long }) => (required && long ? [long] : [])).join('|');
}

function globals(program: Command): string {
  return program.options.map(({ long }) => long ?? '').join(' ');
}

function bashScript(program: Command): string {
  const commands = known(program);
  const cases = commands.map(
    ({ name, words, takesWorkspace }) =>
      `    ${name}) words='${words.join(' ')}'; takes_workspace=${takesWorkspace ? 1 : ''} ;;`,
  );
  return `# Completion of vw for bash: source <(vw completion bash)
_vw() {
  local current=\${COMP_WORDS[COMP_CWORD]} command= words= takes_workspace= index name
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case \${COMP_WORDS[index]} in
      ${valued(program)}) ((index++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[index]}; break ;;
    esac
  done
  case $command in
    '') words='${commands.map(({ name }) => name).join(' ')} ${globals(program)} --help' ;;
${cases.join('\n')}
  esac
  while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen -W "$words" -- "$current")
  if [[ -n $takes_workspace && $current != -* ]]; then
    while IFS= read -r name; do
      [[ $name == "$current"* ]] && COMPREPLY+=("$(printf '%q' "$name")")
    done < <("\${COMP_WORDS[0]}" ${NAMES_COMMAND} 2>/dev/null)
  fi
}
complete -o default -F _vw vw
`;
}

function zshScript(program: Command): string {
  const commands = known(program);
  const described = commands.map(({ name, summary }) => `    '${name}:${summary.replaceAll("'", "'\\''")}'`);
  const cases = commands.map(
    ({ name, words, takesWorkspace }) =>
      `    ${name}) offered=(${words.join(' ')}); takes_workspace=${takesWorkspace ? 1 : ''} ;;`,
  );
  return `#compdef vw
# Completion of vw for zsh: source <(vw completion zsh), after compinit
_vw() {
  local command= takes_workspace= index
  local -a commands offered
  commands=(
${described.join('\n')}
  )
  for ((index = 2; index < CURRENT; index++)); do
    case $words[index] in
      ${valued(program)}) ((index++)) ;;
      -*) ;;
      *) command=$words[index]; break ;;
    esac
  done
  case $command in
    '') _describe command commands; offered=(${globals(program)} --help) ;;
${cases.join('\n')}
  esac
  compadd -- $offered
  if [[ -n $takes_workspace && $PREFIX != -* ]]; then
    compadd -- \${(f)"$("$words[1]" ${NAMES_COMMAND} 2>/dev/null)"}
  fi
  _files
}
compdef _vw vw
`;
}
