/** One panel: a form, the response to it, its times, and the command that does the same. */

import { h, note } from './dom.js';
import { fieldElement, valuesOf } from './fields.js';
import { choicesOf } from './models.js';
import { curl, send, times } from './request.js';

/**
 * What a panel does, in a file of `panels/`. Panels with `view` can ask two models or versions the same, and say in `say` what a
 * control of theirs has changed.
 *
 * @typedef {{
 *   title: string,
 *   description: string,
 *   tasks: readonly string[] | undefined,
 *   needsBoxes?: boolean,
 *   fields: readonly import('./fields.js').Field[],
 *   empty: string,
 *   ask(values: Record<string, any>, model: string | undefined, choice: Choice): import('./request.js').Ask,
 *   show?(json: any, values: Record<string, any>): Node,
 *   view?(answers: readonly Answer[], values: Record<string, any>, say: (text: string) => void): Node,
 *   more?(model: import('./models.js').Model): Promise<readonly import('./fields.js').Field[]>,
 * }} Panel
 *
 * @typedef {import('./models.js').Choice} Choice
 *
 * What a model has answered.
 * @typedef {{ choice: Choice, json: any, about: import('./request.js').About }} Answer
 */

/** The choice of no second model. */
const NOTHING = '(nothing)';

/**
 * @param {HTMLElement} main
 * @param {Panel | undefined} panel
 * @param {readonly import('./models.js').Model[]} models
 */
export function openPanel(main, panel, models) {
  if (panel === undefined) return main.replaceChildren(note('This service has no panel.'));
  const choices = choicesOf(panel, models, panel.view !== undefined);
  const head = [h('h2', {}, panel.title), h('p', {}, panel.description)];
  if (choices.length === 0) return main.replaceChildren(...head, note(panel.empty));
  main.replaceChildren(...head, new OpenPanel(panel, choices).element);
}

class OpenPanel {
  /** @type {AbortController | undefined} */
  #running;

  /**
   * @param {Panel} panel
   * @param {readonly Choice[]} choices The first one is chosen.
   */
  constructor(panel, choices) {
    this.panel = panel;
    this.choices = choices;
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
    this.status = h('p', { role: 'status', class: 'note' });
    this.about = h('div', {});
    this.chooser = this.choiceElements();
    this.rows = h('div', { class: 'fields' }, ...this.chooser, ...this.fields.map(fieldElement));
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
    this.element = h('div', {}, this.form, this.output, this.status, this.about, details);
    if (panel.more === undefined) this.showCommand();
    else {
      this.form.elements.namedItem('model')?.addEventListener('change', () => this.addFields());
      this.addFields();
    }
  }

  /** The choice of a model, and of another one where a panel can compare them. */
  choiceElements() {
    const options = this.choices.map(({ label }) => label);
    const type = /** @type {const} */ ('choice');
    const first = fieldElement({ name: 'model', label: 'Model', type, options });
    if (this.panel.view === undefined || options.length === 1) return [first];
    const others = [NOTHING, ...options];
    return [first, fieldElement({ name: 'other', label: 'Compare with', type, options: others })];
  }

  /**
   * @param {string} name The name of the field.
   * @returns {Choice | undefined}
   */
  chosen(name) {
    const control = /** @type {any} */ (this.form.elements.namedItem(name));
    return this.choices.find(({ label }) => label === control?.value);
  }

  get choice() {
    return /** @type {Choice} */ (this.chosen('model'));
  }

  /** The models that are asked: one, or two to compare. */
  asked() {
    const other = this.chosen('other');
    return other === undefined ? [this.choice] : [this.choice, other];
  }

  /** Adds the fields that depend on the model. */
  async addFields() {
    const { choice } = this;
    try {
      const more = await this.panel.more?.(choice.model);
      // Another model may have been chosen meanwhile.
      if (choice !== this.choice) return;
      this.fields = [...this.panel.fields, ...(more ?? [])];
    } catch (error) {
      this.output.replaceChildren(
        note(`The fields of ${choice.label} could not be read: ${error}`),
      );
      return;
    }
    this.rows.replaceChildren(...this.chooser, ...this.fields.map(fieldElement));
    this.showCommand();
  }

  values() {
    return valuesOf(this.form, this.fields);
  }

  /**
   * @param {Record<string, any>} values
   * @param {Choice} choice
   */
  ask(values, choice) {
    return this.panel.ask(values, choice.model.name, choice);
  }

  showCommand() {
    const values = this.values();
    const commands = this.asked().map((choice) => curl(this.ask(values, choice)));
    this.command.textContent = commands.join('\n\n');
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
    const values = this.values();
    const choices = this.asked();
    const text = h('p', { class: 'stream' });
    const isRunning = () => this.#running === running;
    this.about.replaceChildren();
    this.status.replaceChildren();
    this.output.setAttribute('aria-busy', 'true');
    this.stop.removeAttribute('disabled');
    const onDelta = (/** @type {string} */ delta) => {
      if (!isRunning()) return;
      if (text.parentNode === null) this.output.replaceChildren(text);
      text.append(delta);
    };
    try {
      /** @type {Answer[]} */
      const answers = [];
      // One after the other, so that neither slows down the other one.
      for (const choice of choices) {
        const asked = this.ask(values, choice);
        const sent = await send(asked, running.signal, onDelta).catch((error) => {
          if (choices.length > 1) error.message = `${choice.label}: ${error.message}`;
          throw error;
        });
        answers.push({ choice, ...sent });
      }
      if (!isRunning()) return;
      this.show(answers, values);
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

  /**
   * @param {readonly Answer[]} answers
   * @param {Record<string, any>} values
   */
  show(answers, values) {
    const { show, view } = this.panel;
    const json = answers[0]?.json;
    if (view !== undefined) {
      const say = (/** @type {string} */ said) => this.status.replaceChildren(said);
      this.output.replaceChildren(view(answers, values, say));
      // A stream without a last event is complete as it is.
    } else if (show !== undefined && Object.keys(json).length > 0) {
      this.output.replaceChildren(show(json, values));
    }
    const lists = answers.map(({ choice, about }) => [
      ...(answers.length > 1 ? [h('h3', {}, choice.label)] : []),
      timesList(about),
    ]);
    this.about.replaceChildren(...lists.flat());
  }
}

/** @param {import('./request.js').About} about */
function timesList(about) {
  const rows = times(about).map(([name, value]) =>
    h('div', {}, h('dt', {}, name), h('dd', {}, value)),
  );
  return h('dl', { class: 'times' }, ...rows);
}
