package dev.kvasir.train;
