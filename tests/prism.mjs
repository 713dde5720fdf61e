// Holds the sandbox's replies against tests/sandbox/openapi.yaml: every request here goes through Prism, which answers with a problem
// of its own if the request or the reply is not as described. `node tests/prism.mjs PRISM SANDBOX [DESCRIPTION]`
import { spawn } from "node:child_process";
import { createServer } from "node:net";

const [prism, program, description = "tests/sandbox/openapi.yaml"] = process.argv.slice(2);
const children = [];
let failed = 0;

// Starts a program, and gives what of its output matches.
function start(command, args, awaited) {
    return new Promise((resolve, reject) => {
        const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
        children.push(child);
        let said = "";
        child.on("exit", () => reject(new Error(`${command} ended: ${said}`)));
        child.on("error", reject);
        child.stdout.on("data", (data) => {
            said += data;
            const match = said.match(awaited);
            if (match) resolve(match[1]);
        });
    });
}

function freePort() {
    return new Promise((resolve) => {
        const server = createServer().listen(0, "127.0.0.1", () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

async function main() {
    const sandbox = await start(program, ["--exit-with-parent"], /listening on (\S+)/);
    const port = await freePort();
    const proxy = await start(process.execPath, [prism, "proxy", description, sandbox, "--errors", "--port", port], /listening on (\S+)/i);

    const send = (path, options = {}) => fetch(proxy + path, options);
    const post = (path, body) => send(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const get = (path, token) => send(path, { headers: { Authorization: `Bearer ${token}` } });
    const control = (path, body) => fetch(`${sandbox}/_sandbox/${path}`, { method: "POST", body: JSON.stringify(body) });

    // check WHAT REPLY STATUS: and that the reply is the sandbox's, which means that Prism has nothing against it.
    const check = async (what, reply, status) => {
        const json = await reply.json();
        const good = reply.status === status && !String(json.type ?? "").includes("prism");
        console.log(`${good ? "ok  " : "FAIL"} ${what}`);
        if (!good) {
            failed++;
            console.log(reply.status, JSON.stringify(json, null, 2));
        }
        return json;
    };

    let tokens = await check("an API key gets a pair of tokens", await post("/auth/api-key", { apiKey: "sandbox-key" }), 200);
    await check("a wrong one is refused", await post("/auth/api-key", { apiKey: "wrong" }), 400);
    tokens = await check("a refresh token gets another pair", await post("/auth/refresh", { refreshToken: tokens.refresh_token }), 200);
    await check("a wrong one is refused", await post("/auth/refresh", { refreshToken: "wrong" }), 400);
    const all = await check("the videos", await get("/videos", tokens.access_token), 200);
    await check("a page of them", await get("/videos?currentPage=2&pageSize=1", tokens.access_token), 200);
    await check("a page that cannot be", await get("/videos?pageSize=1000", tokens.access_token), 400);
    await check("the videos for a token that is none", await get("/videos", "wrong"), 401);
    for (const { rel, uri } of all.pagination.links) {
        await check(`the link «${rel}»`, await fetch(uri, { headers: { Authorization: `Bearer ${tokens.access_token}` } }), 200);
    }

    // Prism finds what is wrong, else all of the above proves nothing.
    for (const [on, broken] of [["videos", { pagination: {} }], ["auth", { expires_in: "soon" }]]) {
        await control("faults", { on, fault: { kind: "patch", fields: broken } });
        const reply = on === "videos" ? await get("/videos", tokens.access_token) : await post("/auth/api-key", { apiKey: "sandbox-key" });
        const found = reply.status === 500 && (await reply.text()).includes("prism/errors#VIOLATIONS");
        console.log(`${found ? "ok  " : "FAIL"} Prism finds what is broken on purpose: ${on}`);
        failed += found ? 0 : 1;
    }
}

try {
    await main();
} catch (error) {
    console.log(`FAIL ${error.stack}`);
    failed++;
}
for (const child of children) {
    child.removeAllListeners("exit");
    child.kill();
}
console.log(failed === 0 ? "Prism has nothing against the sandbox." : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
