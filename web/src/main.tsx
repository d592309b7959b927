import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/start.css";
import "./styles/call.css";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { takeTokenFromFragment } from "./token";

const firstToken = takeTokenFromFragment(window.location, window.history);
const root = document.getElementById("root");
if (root) {
	createRoot(root).render(<App firstToken={firstToken} />);
}
