package dev.kvasir;
