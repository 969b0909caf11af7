// Requests to the server; the token, where one is asked for, lives as long as the tab.
export class Refused extends Error {
  constructor(message, status) { super(message); this.status = status; }
}

export async function ask(path, { body, signal } = {}) {
  const headers = { Accept: "application/json" };
  const token = sessionStorage.getItem("aerec-token");
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  const options = { headers, signal, method: body ? "POST" : "GET", body: body && JSON.stringify(body) };
  for (let attempt = 0; ; attempt++) {
    let answer;
    try {
      answer = await fetch(path, options);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused("The server cannot be reached.", 0);
    }
    if (answer.ok) return answer.json();
    if (answer.status === 503 && attempt < 2) {
      await new Promise((done) => setTimeout(done, 500 * (attempt + 1)));
      continue;
    }
    const problem = await answer.json().catch(() => ({}));
    throw new Refused(problem.error || `The server answered ${answer.status}.`, answer.status);
  }
}
