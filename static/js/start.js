// Runs before the first paint: marks that scripts work, so that what needs them is shown.
document.documentElement.classList.add("js");
