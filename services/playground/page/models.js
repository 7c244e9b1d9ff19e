/** The models that a panel can ask. */

/**
 * A model as the server lists it, with the names of its features, a row of them, that row as inputs of `/v2`, and what it does by
 * default with the boxes of each version: `iou` is absent if it leaves out no box for another.
 *
 * @typedef {{
 *   name: string,
 *   versions: readonly { version: string, state: string, task?: string }[],
 *   features?: readonly string[],
 *   row?: readonly unknown[] | Record<string, unknown>,
 *   inputs?: readonly object[],
 *   boxes?: Readonly<Record<string, { threshold: number, iou?: number }>>,
 * }} Model
 *
 * What a panel needs of a version.
 * @typedef {{ tasks: readonly string[] | undefined, needsBoxes?: boolean }} Asker
 *
 * A model that a request names, and its version, unless the server chooses it.
 * @typedef {{ label: string, model: Model, version?: string }} Choice
 */

/**
 * The versions of a model that a panel can ask.
 *
 * @param {Asker} panel
 * @param {Model} model
 */
const usable = ({ tasks, needsBoxes = false }, { versions, boxes = {} }) =>
  versions.filter(
    ({ version, state, task = '' }) =>
      state === 'ready' &&
      (tasks === undefined || tasks.includes(task)) &&
      (!needsBoxes || version in boxes),
  );

/**
 * The served models that a panel can ask. With `byVersion`, each version of a model that has several is a choice, too.
 *
 * @param {Asker} panel
 * @param {readonly Model[]} models
 * @param {boolean} byVersion
 * @returns {Choice[]}
 */
export const choicesOf = (panel, models, byVersion) =>
  models.flatMap((model) => {
    const versions = usable(panel, model);
    if (versions.length === 0) return [];
    const { name } = model;
    const each = versions.map(({ version }) => ({ label: `${name} ${version}`, model, version }));
    return [{ label: name, model }, ...(byVersion && each.length > 1 ? each : [])];
  });

/**
 * What the version that is asked does by default with boxes. If the server chooses the version, it is taken for the newest.
 *
 * @param {Choice} choice
 * @param {string} [answered] The version that has answered.
 */
export function boxesOf({ model: { boxes = {} }, version }, answered) {
  const named = boxes[answered ?? version ?? ''];
  return named ?? Object.values(boxes).at(-1) ?? { threshold: 0.5 };
}
