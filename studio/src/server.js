// Questions to the server that sent this page.
const token = document.querySelector('meta[name="token"]').content;

export class Refused extends Error {
  constructor(status, { error, seen }) {
    super(error);
    this.status = status;
    this.seen = seen;
  }
}

export async function ask(question, body = {}) {
  let answer;
  try {
    answer = await fetch(`/api/${question}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-studio-token": token },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, { error: "the server does not answer; start policy-cache studio again, and load this page anew" });
  }
  const found = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, found);
  return found;
}
