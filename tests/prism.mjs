// Holds the sandbox's replies, and the library's requests, against tests/sandbox/openapi.yaml: every request here goes through Prism, which
// answers with a problem of its own if the request or the reply is not as described. `node tests/prism.mjs PRISM SANDBOX [DESCRIPTION]`;
// LIBAPIVIDEO_PATH names the library.
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

// Runs a program to its end: its exit status, and what it said.
function run(command, args, variables) {
    return new Promise((resolve) => {
        const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...variables } });
        let said = "";
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += data));
        child.on("error", (error) => resolve({ code: -1, said: error.message }));
        child.on("close", (code) => resolve({ code, said }));
    });
}

function report(what, good, why) {
    console.log(`${good ? "ok  " : "FAIL"} ${what}`);
    if (!good) {
        failed++;
        console.log(why);
    }
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
    // As the user who has the latest token.
    const ask = (method, path, body) => {
        const headers = { Authorization: `Bearer ${tokens.access_token}`, ...(body && { "Content-Type": "application/json" }) };
        return send(path, { method, headers, body: body && JSON.stringify(body) });
    };
    const upload = (path, range, size, fields = {}) => {
        const form = new FormData();
        for (const [name, value] of Object.entries(fields)) form.append(name, value);
        form.append("file", new Blob(["v".repeat(size)]), "video.mp4");
        const headers = { Authorization: `Bearer ${tokens.access_token}`, ...(range && { "Content-Range": range }) };
        return send(path, { method: "POST", headers, body: form });
    };
    const control = (path, body) => fetch(`${sandbox}/_sandbox/${path}`, { method: "POST", body: JSON.stringify(body) });

    // check WHAT REPLY STATUS: and that the reply is the sandbox's, which means that Prism has nothing against it.
    const check = async (what, reply, status) => {
        const text = await reply.text();
        const json = text === "" ? {} : JSON.parse(text);
        const good = reply.status === status && !String(json.type ?? "").includes("prism");
        report(what, good, `${reply.status} ${JSON.stringify(json, null, 2)}`);
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
        await check(`the link «${rel}»`, await get(uri, tokens.access_token), 200);
    }

    await control("settings", { smallest_chunk: 10 });
    const video = await check("a new video", await ask("POST", "/videos", { title: "New" }), 201);
    await check("one to fetch", await ask("POST", "/videos", { title: "Fetched", source: "https://example.com/a.mp4" }), 202);
    const path = `/videos/${video.videoId}`;
    await check("the video", await ask("GET", path), 200);
    await check("a change of it", await ask("PATCH", path, { tags: ["a"] }), 200);
    await check("its status, missing", await ask("GET", `${path}/status`), 200);
    await check("a part of it", await upload(`${path}/source`, "part 2/2", 5), 201);
    await check("the same again", await upload(`${path}/source`, "part 2/2", 5), 400);
    await check("its status, uploading", await ask("GET", `${path}/status`), 200);
    await check("the part that completes it", await upload(`${path}/source`, "part 1/2", 10), 201);
    await check("its status, ingested", await ask("GET", `${path}/status`), 200);
    await check("a video that is not there", await ask("GET", "/videos/vi0"), 404);
    const other = await check("another video", await ask("POST", "/videos", { title: "Other" }), 201);
    await check("a range of it", await upload(`/videos/${other.videoId}/source`, "bytes 10-14/15", 5), 201);
    await check("its status in bytes", await ask("GET", `/videos/${other.videoId}/status`), 200);
    await check("a deleted video", await ask("DELETE", path), 204);

    const token = await check("an upload token", await ask("POST", "/upload-tokens", { ttl: 60 }), 200);
    await check("one without an end", await ask("POST", "/upload-tokens", {}), 200);
    await check("a token that cannot be", await ask("POST", "/upload-tokens", { ttl: -1 }), 400);
    await check("the upload tokens", await ask("GET", "/upload-tokens?sortBy=ttl&sortOrder=desc"), 200);
    await check("the token", await ask("GET", `/upload-tokens/${token.token}`), 200);
    const first = await check("a chunk by token", await upload(`/upload?token=${token.token}`, "part 1/2", 10), 201);
    await check("its last", await upload(`/upload?token=${token.token}`, "part 2/2", 1, { videoId: first.videoId }), 201);
    await check("an upload without a token", await upload("/upload", "", 1), 401);
    await check("a deleted token", await ask("DELETE", `/upload-tokens/${token.token}`), 204);

    const webhook = await check("a webhook", await ask("POST", "/webhooks", { events: ["video.source.recorded"], url: "https://example.com/" }), 201);
    await check("a webhook that cannot be", await ask("POST", "/webhooks", { events: ["nothing"], url: "https://example.com/" }), 400);
    await check("the webhooks", await ask("GET", "/webhooks"), 200);
    await check("one of them", await ask("GET", `/webhooks/${webhook.webhookId}`), 200);
    await check("a deleted webhook", await ask("DELETE", `/webhooks/${webhook.webhookId}`), 204);

    const libraries = await run("python3", ["tests/prism_client.py"], { APIVIDEO_BASE_URL: proxy, APIVIDEO_API_KEY: "sandbox-key" });
    report("the library's own requests and uploads", libraries.code === 0, libraries.said);

    await control("settings", { enforce_limits: true, limit_reads: 0 });
    await check("too many requests", await ask("GET", "/videos"), 429);
    await control("settings", { enforce_limits: false });

    // Prism finds what is wrong, else all of the above proves nothing.
    for (const [on, broken] of [["videos", { pagination: {} }], ["auth", { expires_in: "soon" }]]) {
        await control("faults", { on, fault: { kind: "patch", fields: broken } });
        const reply = on === "videos" ? await get("/videos", tokens.access_token) : await post("/auth/api-key", { apiKey: "sandbox-key" });
        const found = reply.status === 500 && (await reply.text()).includes("prism/errors#VIOLATIONS");
        report(`Prism finds what is broken on purpose: ${on}`, found, reply.status);
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
console.log(failed === 0 ? "Prism has nothing against the sandbox and the library." : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
