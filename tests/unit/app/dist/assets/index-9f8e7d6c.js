console.log("\\ and \"quotes\" and ??/ trigraphs");
