/** @module A browser without a window for tests of pages. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { findBrowser } from '../support/servers.ts';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const program = findBrowser();

/** Why tests that need the browser are skipped; false if it is there. */
export const skip = program === undefined ? 'Chromium is not installed' : false;

/** @param args Arguments besides those that a container needs. */
export const launch = (args: readonly string[] = []): Promise<Browser> =>
  puppeteer.launch({
    executablePath: program!.path,
    env: { ...process.env, ...program!.env },
    args: ['--no-sandbox', '--disable-dev-shm-usage', ...args],
  });

/**
 * What goes wrong in a page from now on: errors and warnings of the console, and requests to other places.
 *
 * @param origins Returns where the page may send requests.
 */
export function faultsOf(page: Page, origins: () => readonly string[]): string[] {
  const faults: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (!origins().includes(origin) && protocol !== 'data:') faults.push(`a request to ${origin}`);
  });
  return faults;
}

/** Opens a panel of the playground. */
export async function openPanel(page: Page, origin: string, panel: string): Promise<void> {
  await page.goto('about:blank');
  await page.goto(`${origin}/playground#${panel}`);
  await page.waitForSelector('main h2');
}

/** Runs the panel as it is, and returns the text of the response, or the sentence of an error. */
export async function runPanel(page: Page): Promise<string> {
  await page.waitForSelector('button[type=submit]');
  await page.click('button[type=submit]');
  await page.waitForSelector('.times dd, .output [role=alert]');
  return textOf(page, '.output');
}

/** Chooses files in the field for pictures, and waits until they are shown. */
export async function choosePicture(page: Page, ...files: readonly string[]): Promise<void> {
  const input = await page.waitForSelector<'input[type=file]'>('input[type=file]');
  await input!.uploadFile(...files);
  await page.waitForFunction(
    (count) => document.querySelectorAll('.previews img').length === count,
    {},
    files.length,
  );
}

/** Moves a slider of a response. */
export const slide = (page: Page, name: string, value: number): Promise<void> =>
  page.$eval(
    `#view-${name}`,
    (element, text) => {
      (element as HTMLInputElement).value = text;
      element.dispatchEvent(new Event('input', { bubbles: true }));
    },
    String(value),
  );

export const textOf = (page: Page, selector: string): Promise<string> =>
  page.$eval(selector, (element) => element.textContent ?? '');

/** The part of axe that is used. */
interface Axe {
  run(): Promise<{
    violations: readonly { id: string; nodes: readonly { html: string }[] }[];
  }>;
}

/** What axe finds that keeps people from using the page, also in small things. */
export async function accessibilityFindings(page: Page): Promise<string[]> {
  await page.evaluate(readFileSync(axe, 'utf8'));
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: Axe }).axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`);
  });
}
