/** One panel: a form, the response to it, its times, and the command that does the same. */

import { h, note } from './dom.js';
import { fieldElement, valuesOf } from './fields.js';
import { curl, send, times } from './request.js';

/**
 * What a panel does, in a file of `panels/`.
 *
 * @typedef {{
 *   title: string,
 *   description: string,
 *   tasks: readonly string[] | undefined,
 *   fields: readonly import('./fields.js').Field[],
 *   empty: string,
 *   ask(values: Record<string, any>, model: string | undefined): import('./request.js').Ask,
 *   show(json: any, values: Record<string, any>): Node,
 *   more?(model: Model): Promise<readonly import('./fields.js').Field[]>,
 * }} Panel
 *
 * A model as the server lists it, with the names of its features, a row of them, and that row as inputs of `/v2`.
 * @typedef {{
 *   name: string,
 *   versions: readonly { state: string, task?: string }[],
 *   features?: readonly string[],
 *   row?: readonly unknown[] | Record<string, unknown>,
 *   inputs?: readonly object[],
 * }} Model
 */

/**
 * The served models that have one of the tasks.
 *
 * @param {Panel} panel
 * @param {readonly Model[]} models
 */
const suiting = ({ tasks }, models) =>
  models.filter(({ versions }) =>
    versions.some(
      ({ state, task = '' }) => state === 'ready' && (tasks === undefined || tasks.includes(task)),
    ),
  );

/**
 * @param {HTMLElement} main
 * @param {Panel | undefined} panel
 * @param {readonly Model[]} models
 */
export function openPanel(main, panel, models) {
  if (panel === undefined) return main.replaceChildren(note('This service has no panel.'));
  const able = suiting(panel, models);
  const head = [h('h2', {}, panel.title), h('p', {}, panel.description)];
  if (able.length === 0) return main.replaceChildren(...head, note(panel.empty));
  main.replaceChildren(...head, new OpenPanel(panel, able).element);
}

class OpenPanel {
  /** @type {AbortController | undefined} */
  #running;

  /**
   * @param {Panel} panel
   * @param {readonly Model[]} models The first one is chosen.
   */
  constructor(panel, models) {
    this.panel = panel;
    this.models = models;
    this.fields = panel.fields;
    this.run = h('button', { type: 'submit' }, 'Run');
    this.stop = h(
      'button',
      { type: 'button', disabled: true, onclick: () => this.abort() },
      'Stop',
    );
    this.copy = h(
      'button',
      { type: 'button', class: 'small', onclick: () => this.copyCommand() },
      'Copy',
    );
    this.command = h('code', {});
    this.output = h('section', {
      class: 'output',
      'aria-label': 'Response',
      'aria-live': 'polite',
    });
    this.about = h('dl', { class: 'times' });
    const choice = {
      name: 'model',
      label: 'Model',
      type: /** @type {const} */ ('choice'),
      options: models.map(({ name }) => name),
    };
    this.rows = h(
      'div',
      { class: 'fields' },
      fieldElement(choice),
      ...this.fields.map(fieldElement),
    );
    this.form = /** @type {HTMLFormElement} */ (
      h(
        'form',
        {
          onsubmit: (/** @type {Event} */ event) => this.submit(event),
          oninput: () => this.showCommand(),
        },
        this.rows,
        h(
          'div',
          { class: 'buttons' },
          this.run,
          this.stop,
          h('small', {}, 'Ctrl + Enter runs it, too.'),
        ),
      )
    );
    this.form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.form.requestSubmit();
    });
    const details = h(
      'details',
      {},
      h('summary', {}, 'The same with curl'),
      h('pre', { tabindex: '0' }, this.command),
      this.copy,
    );
    this.element = h('div', {}, this.form, this.output, this.about, details);
    if (panel.more === undefined) this.showCommand();
    else {
      this.form.elements.namedItem('model')?.addEventListener('change', () => this.addFields());
      this.addFields();
    }
  }

  get model() {
    return /** @type {any} */ (this.form.elements.namedItem('model')).value;
  }

  /** Adds the fields that depend on the model. */
  async addFields() {
    const { model } = this;
    try {
      const chosen = /** @type {Model} */ (this.models.find(({ name }) => name === model));
      const more = await this.panel.more?.(chosen);
      // Another model may have been chosen meanwhile.
      if (model !== this.model) return;
      this.fields = [...this.panel.fields, ...(more ?? [])];
    } catch (error) {
      this.output.replaceChildren(note(`The fields of ${model} could not be read: ${error}`));
      return;
    }
    const [choice] = this.rows.children;
    this.rows.replaceChildren(/** @type {Node} */ (choice), ...this.fields.map(fieldElement));
    this.showCommand();
  }

  ask() {
    const values = valuesOf(this.form, this.fields);
    return { values, ask: this.panel.ask(values, this.model) };
  }

  showCommand() {
    this.command.textContent = curl(this.ask().ask);
  }

  async copyCommand() {
    await navigator.clipboard.writeText(this.command.textContent ?? '');
    this.copy.textContent = 'Copied';
    setTimeout(() => {
      this.copy.textContent = 'Copy';
    }, 1500);
  }

  abort() {
    this.#running?.abort();
  }

  /** @param {Event} event */
  async submit(event) {
    event.preventDefault();
    this.abort();
    const running = new AbortController();
    this.#running = running;
    const { values, ask } = this.ask();
    const text = h('p', { class: 'stream' });
    const isRunning = () => this.#running === running;
    this.about.replaceChildren();
    this.output.setAttribute('aria-busy', 'true');
    this.stop.removeAttribute('disabled');
    try {
      const { json, about } = await send(ask, running.signal, (delta) => {
        if (!isRunning()) return;
        if (text.parentNode === null) this.output.replaceChildren(text);
        text.append(delta);
      });
      if (!isRunning()) return;
      // A stream without a last event is complete as it is.
      if (Object.keys(json).length > 0) this.output.replaceChildren(this.panel.show(json, values));
      this.showTimes(about);
    } catch (error) {
      if (!isRunning()) return;
      const stopped = running.signal.aborted;
      if (stopped) text.append(' – stopped');
      else
        this.output.replaceChildren(
          h('p', { class: 'error', role: 'alert' }, String(/** @type {any} */ (error).message)),
        );
    } finally {
      if (isRunning()) {
        this.output.removeAttribute('aria-busy');
        this.stop.setAttribute('disabled', '');
      }
    }
  }

  /** @param {import('./request.js').About} about */
  showTimes(about) {
    const rows = times(about).map(([name, value]) =>
      h('div', {}, h('dt', {}, name), h('dd', {}, value)),
    );
    this.about.replaceChildren(...rows);
  }
}
