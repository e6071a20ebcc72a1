// Completion from the JSON Schema of policies.
import { ITEM, placeAt } from "./path.js";

const PLAIN = /^[\w$][\w$.-]*$/;

export function completer(schema) {
  const resolved = (part) => {
    const { $ref, ...rest } = part ?? {};
    return $ref ? { ...schema.$defs[$ref.replace("#/$defs/", "")], ...rest } : rest;
  };
  const step = (part, key) =>
    resolved(key === ITEM ? part.items : part.properties?.[key] ?? (part.additionalProperties || undefined));

  return (context) => {
    const place = placeAt(context.state.doc, context.pos);
    if (!place || (!place.word && !context.explicit)) return null;
    const part = place.path.reduce(step, schema);
    const options = [...(place.keys ? keys(part, resolved) : []), ...(place.values ? values(part, place.flow) : [])];
    return options.length ? { from: place.from, options, validFor: /^[\w$.*-]*$/ } : null;
  };
}

const keys = (part, resolved) =>
  Object.entries(part.properties ?? {}).map(([label, one]) => {
    const found = resolved(one);
    return {
      label,
      detail: found.title,
      info: found.description,
      apply: `${label}: `,
      type: "property",
      boost: part.required?.includes(label) ? 1 : 0,
    };
  });

function values(part, inFlow) {
  const found = [];
  const add = (value, info) => {
    if (typeof value === "object" && value !== null) return;
    const label = String(value);
    if (found.some((one) => one.label === label)) return;
    const bare = typeof value !== "string" || PLAIN.test(label) || (!inFlow && /^\$[\w$.[\]*-]*$/.test(label));
    found.push({ label, info, apply: bare ? label : JSON.stringify(label), type: "constant" });
  };
  part.enum?.forEach((value, index) => add(value, part.enumDescriptions?.[index]));
  if ("const" in part) add(part.const);
  if ([part.type].flat().includes("boolean")) [true, false].forEach((value) => add(value));
  part.defaultSnippets?.forEach((one) => typeof one.body === "string" && add(one.body, one.description));
  [part.examples ?? []].flat().forEach((value) => add(value));
  return found;
}
