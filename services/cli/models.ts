/** @module `millrace models`: the registry of models, their labels, and signatures of model files. */

import type { Command } from 'commander';
import { fields, print, table } from './output.ts';
import { register } from './register.ts';
import { path, Server, type ServerOptions, withServer } from './server.ts';
import { addSigning } from './signing.ts';
import { toObject } from './values.ts';
import type { Version } from './version.ts';

interface Model {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

interface Named extends ServerOptions {
  readonly name: string;
}

interface OfVersion extends Named {
  readonly version: string;
}

const NAME: readonly [string, string] = ['--name <name>', 'the model'];
const VERSION: readonly [string, string] = ['--version <version>', 'the version'];

export function addModels(program: Command): void {
  const models = program.command('models').description('Register models and manage their versions');
  addRegister(models);
  addQueries(models);
  addMoves(models);
  addSigning(models);
}

function addRegister(models: Command): void {
  withServer(models.command('register').description('Store a version, try it, and serve it'))
    .requiredOption('--model-path <path>', 'an .onnx file, a folder, or a .tar or .zip of a folder')
    .requiredOption(...NAME)
    .requiredOption(...VERSION)
    .option('--metadata <json>', 'a JSON object that is kept with the version', toObject)
    .option('--config <file>', 'its model.json')
    .option('--signature <file>', 'its OpenSSF signature bundle')
    .option('--offline', 'write to the stores of this machine, without a server')
    .action(register);
}

function addQueries(models: Command): void {
  withServer(models.command('list').description('List models, or the versions of one'))
    .option(...NAME)
    .action(async ({ name, ...options }: ServerOptions & { name?: string }) => {
      const server = new Server(options);
      if (name === undefined) {
        const found = await server.list<Model>('/admin/models');
        print(options, found, () =>
          table(
            ['name', 'labels'],
            found.map((model) => [model.name, labelsOf(model)]),
          ),
        );
        return;
      }
      const found = await server.list<Version>(path('admin', 'models', name, 'versions'));
      print(options, found, () =>
        table(
          ['version', 'state', 'bytes', 'signature', 'created', 'reason'],
          found.map((each) => [
            ...[each.version, each.state, each.bytes, each.signature_status],
            ...[each.created_at, each.reason],
          ]),
        ),
      );
    });
  withServer(models.command('show').description('Show a model, or one of its versions'))
    .requiredOption(...NAME)
    .option(...VERSION)
    .action(async ({ name, version, ...options }: Named & { version?: string }) => {
      const parts = version === undefined ? [] : ['versions', version];
      const found = await new Server(options).get<object>(path('admin', 'models', name, ...parts));
      print(options, found, fields);
    });
}

function labelsOf({ labels }: Model): string {
  return Object.entries(labels ?? {})
    .map(([label, version]) => `${label}=${version}`)
    .join(' ');
}

function addMoves(models: Command): void {
  withServer(models.command('promote').description('Make a version the stable one'))
    .requiredOption(...NAME)
    .requiredOption(...VERSION)
    .action(async ({ name, version, ...options }: OfVersion) => {
      const at = path('admin', 'models', name, 'promote');
      const { body } = await new Server(options).send<object>('POST', at, { version });
      print(options, body, () => `Version ${version} of ${name} is the stable one.`);
    });
  withServer(models.command('rollback').description('Make the version before it stable again'))
    .requiredOption(...NAME)
    .action(async ({ name, ...options }: Named) => {
      const at = path('admin', 'models', name, 'rollback');
      const { body } = await new Server(options).send<Model>('POST', at);
      print(
        options,
        body,
        ({ labels }) => `Version ${labels.stable} of ${name} is the stable one.`,
      );
    });
  withServer(models.command('label').description('Let a label stand for a version, or remove it'))
    .requiredOption(...NAME)
    .requiredOption('--label <label>', 'such as canary')
    .option(...VERSION)
    .option('--remove', 'remove the label')
    .action(label);
  withServer(models.command('archive').description('Stop serving a version for good'))
    .requiredOption(...NAME)
    .requiredOption(...VERSION)
    .option('--purge', 'also delete its files if no other version has them')
    .action(async ({ name, version, purge, ...options }: OfVersion & { purge?: boolean }) => {
      const at = path('admin', 'models', name, 'versions', version);
      const query = purge ? { purge: 'true' } : {};
      const { body } = await new Server(options).call<object>('DELETE', at, { query });
      print(options, body, () => `Version ${version} of ${name} is archived.`);
    });
}

interface LabelOptions extends Named {
  readonly label: string;
  readonly version?: string;
  readonly remove?: boolean;
}

async function label(given: LabelOptions, command: Command): Promise<void> {
  const { name, label, version, remove, ...options } = given;
  const server = new Server(options);
  const at = path('admin', 'models', name, 'labels', label);
  if (remove) {
    await server.call('DELETE', at);
    print(options, { name, label, version: null }, () => `${name} has no label ${label} any more.`);
    return;
  }
  if (version === undefined) command.error('error: write --version, or --remove');
  const { body } = await server.send<object>('PUT', at, { version });
  print(options, body, () => `${label} of ${name} is version ${version}.`);
}
